/*
 * Who sends a request, what they may, and how they are told that they may not. A request goes through
 * these in the order in which they stand here; api.c calls them. Any thread, one at a time for a request.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"

struct request;

/* From where it comes: the connection's peer, or what a trusted proxy says. */
void request_find_asker(struct request *r);
/* Who asks: by an API token, which counts alone where there is one; by the cookie; over the control
 * socket the command line, which is the administrator. HTTP Basic is left to the caller, as it takes
 * time. Fails where a token is wrong. */
enum status request_identify(struct request *r, struct error *err);
/* What they may see, as of now, whenever they logged in. */
void request_find_scope(struct request *r);
/* Whether they may ask the request's route. */
bool request_is_allowed(const struct request *r);
/* Answers why not, and how to log in. */
void request_refuse(struct request *r);
/* With AUTH_MODE=basic: a browser that is told so asks for name and password by itself, over the page.
 * So it is told only where it goes to log in, not where a page fetches something, which Referer or
 * Origin tell. */
void request_challenge(struct request *r);
