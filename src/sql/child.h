/* The process that answers one question of somebody's SQL, and ends. */
#pragma once

/* The whole of it, from main(): descriptors and order are as order.h says. The exit status tells nothing;
 * the report does. */
int sql_child(void);
