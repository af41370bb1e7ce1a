/* The description of the API (OpenAPI 3.1), made of api.json, the route table and the queries by
 * tools/embed_openapi.py: everything but what is known only when the program runs. */
#pragma once

/* Of each row of the route table, in its order: the parameters that its address may have, each with a
 * blank before and after it; NULL where the handler sees to it itself. */
extern const char *const api_parameters[];
/* Members of `components.securitySchemes`, of `components` and of the whole, each without the braces. */
extern const char api_schemes[];
extern const char api_components[];
extern const char api_paths[];
