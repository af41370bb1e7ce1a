/*
 * What lies with the program: found from where its own file is, so that an installed tree can be
 * moved. In a build folder the same things lie elsewhere.
 */
#pragma once

/* Each NULL where it is not to be found; the caller frees. */
char *installed_simulator(void);
char *installed_city_folder(void);
