/*
 * One thing a source saw at one instant: a session playing, paused or stopped, at a position, with
 * these streams. Plain data; strings are borrowed from whoever made it (an arena, as a rule) and
 * are never NULL: "" is unknown. Numbers: -1 is unknown unless said otherwise.
 *
 * Wire form in the log: one JSON object with these member names (model/observation.c); members that
 * are unknown are left out.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/str.h"

enum server_kind {
#define SERVER_KIND(NAME, ...) SERVER_##NAME,
#include "model/server_kinds.def"
#undef SERVER_KIND
    SERVER_KINDS,
};
struct server_kind_row {
    const char *name, *article, *label; /* "plex", "a", "Plex" */
    const char *port, *token;           /* the usual one; which token it needs, in words */
    const char *switch_env, *url_env, *token_env, *list_env, *list_yaml; /* names of options */
};
extern const struct server_kind_row server_kinds[SERVER_KINDS];
const char *server_kind_name(enum server_kind k); /* "plex" */
bool server_kind_parse(struct str s, enum server_kind *ret);

enum play_state { PLAY_PLAYING, PLAY_PAUSED, PLAY_BUFFERING, PLAY_STOPPED };
const char *play_state_name(enum play_state s);
bool play_state_parse(struct str s, enum play_state *ret);

/* X(member): text facts of a session, in the order of the wire form. */
#define OBSERVATION_TEXTS(X)                                                                     \
    /* who */                                                                                    \
    X(account_key)  /* the account's id as given by its server */                                \
    X(account_name)                                                                              \
    X(account_email)                                                                             \
    /* what */                                                                                   \
    X(media_type)   /* movie episode track live clip extra photo */                              \
    X(item_key)     /* rating key or item id on its server */                                    \
    X(file_key)     /* of the file it is played from: facts.h; never its path */                 \
    X(guid)         /* plex://..., or "" */                                                      \
    X(provider_ids) /* "imdb:tt1 tmdb:2 tvdb:3", lower-case keys, blank separated */             \
    X(title)                                                                                     \
    X(parent_title)      /* season or album */                                                   \
    X(grandparent_title) /* show or artist */                                                    \
    X(grandparent_key)                                                                           \
    X(library_key)                                                                               \
    X(library_name)                                                                              \
    X(content_rating)                                                                            \
    X(genres)       /* ';'-separated */                                                          \
    /* on what */                                                                                \
    X(machine_id)                                                                                \
    X(player)       /* the device's own name */                                                  \
    X(product)                                                                                   \
    X(product_version)                                                                           \
    X(platform)                                                                                  \
    X(platform_version)                                                                          \
    /* from where */                                                                             \
    X(address)      /* the address that counts, IPv4 or IPv6 text, no port */                    \
    X(location)     /* lan wan cellular, or "" */                                                \
    /* how: source -> stream */                                                                  \
    X(transcode_decision) /* "direct play" "copy" "transcode" */                                 \
    X(video_decision)     /* "direct play" "copy" "transcode" */                                 \
    X(audio_decision)                                                                            \
    X(subtitle_decision)  /* the same, or "burn" */                                              \
    X(container)                                                                                 \
    X(video_codec)                                                                               \
    X(video_resolution)   /* sd 480 576 720 1080 1440 4k 8k */                                   \
    X(video_dynamic_range)/* SDR HDR10 HDR10+ HLG "Dolby Vision" */                              \
    X(video_framerate)                                                                           \
    X(audio_codec)                                                                               \
    X(audio_language)                                                                            \
    X(subtitle_codec)                                                                            \
    X(subtitle_language)                                                                         \
    X(stream_container)                                                                          \
    X(stream_video_codec)                                                                        \
    X(stream_video_resolution)                                                                   \
    X(stream_video_dynamic_range)                                                                \
    X(stream_audio_codec)                                                                        \
    X(hw_decode)    /* vaapi, nvdec, ...; "" is software or unknown */                           \
    X(hw_encode)                                                                                 \
    X(transcode_reasons) /* blank separated */

/* X(member): whole numbers; -1 is unknown. */
#define OBSERVATION_INTS(X)                                                       \
    X(position_ms)                                                                \
    X(duration_ms)                                                                \
    X(credits_ms)       /* first credits marker */                                \
    X(year)                                                                       \
    X(season)           /* season or disc number */                               \
    X(episode)          /* episode or track number */                             \
    X(secure)           /* 1 yes, 0 no */                                         \
    X(relayed)          /* 1 yes, 0 no */                                         \
    X(bandwidth_kbps)   /* reserved or measured for the session */                \
    X(bitrate_kbps)     /* of the source */                                       \
    X(stream_bitrate_kbps)                                                        \
    X(width)                                                                      \
    X(height)                                                                     \
    X(audio_channels)                                                             \
    X(stream_audio_channels)                                                      \
    X(transcode_throttled) /* 1 yes, 0 no */

struct observation {
    /* Stable key of the configured server ("plex-1"), not the server's own id. */
    const char *server;
    /* One continuous session: unique per server for good ("<session key>@<first seen us>"). A new
     * item, account or device under the same session key is a new session. */
    const char *session;
    int64_t observed_us; /* our clock */
    enum play_state state;
    /* How long the server was not being watched just before this observation, in ms; 0 is not at
     * all. Widens the bounds of the watch time, never the watch time itself. */
    int64_t blind_ms;
    bool is_interrupted; /* a stop we did not see: observed_us is when it was last seen */
#define X(member) const char *member;
    OBSERVATION_TEXTS(X)
#undef X
#define X(member) int64_t member;
    OBSERVATION_INTS(X)
#undef X
};

/* Every text "", every number -1, blind_ms 0. */
void observation_init(struct observation *o);
/* Deep copy into an arena. */
void observation_copy(struct arena *a, const struct observation *from, struct observation *ret);
/* True when everything but observed_us, position_ms, blind_ms and bandwidth_kbps is equal: such
 * a pair is mere progress. */
bool observation_same_but_progress(const struct observation *a, const struct observation *b);
/* The provider id that Plex's old agents put into an item's guid, as in provider_ids ("imdb:tt1"), or
 * "". Only a film's: that of an episode is its show's ("com.plexapp.agents.themoviedb://1399/1/2"). */
const char *plex_agent_id(struct arena *a, const char *media_type, const char *guid);
/* Writes / reads the wire form. Reading keeps texts in the arena; unknown members are ignored; a
 * text longer than 2000 bytes is cut at a character. */
void observation_write(struct json_writer *w, const struct observation *o);
/* The texts and numbers of a parsed object, for records that hold items; the rest as
 * observation_init() leaves it. Borrows nothing from `object`. */
void observation_read_facts(const json_t *object, struct arena *a, struct observation *ret);
enum status observation_read(const char *json, size_t len, struct arena *a,
                             struct observation *ret, struct error *err);
