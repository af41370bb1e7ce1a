/* Server objects as observations: numbers as texts, members missing, null, or of another type. */
#include "../test.h"

#include "base/clock.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "sources/facts.h"
#include "sources/mediabrowser.h"
#include "sources/plex/plex.h"

struct expected {
    const char *member, *value;
};

static void check(const struct observation *o, const struct expected *rows)
{
    auto_buf struct buf b = {0};
    struct json_writer w;
    jw_begin(&w, &b);
    observation_write(&w, o);
    auto_json json_t *root = NULL;
    assert_int_equal(json_parse(buf_str(&b), 1 << 20, 4, &root, NULL), STATUS_OK);
    for (; rows->member; rows++) {
        char scratch[32];
        const char *got = jtext(root, rows->member, scratch);
        if (!streq(got ? got : "", rows->value))
            fail_msg("%s is '%s', not '%s'", rows->member, got ? got : "", rows->value);
    }
}

static void plex_sessions_read(void **state)
{
    static const struct {
        const char *session, *source;
        struct expected expected[20];
    } rows[] = {
        {"{\"sessionKey\":\"7\",\"ratingKey\":\"11\",\"type\":\"episode\",\"title\":\"Pilot\","
         "\"index\":\"3\",\"parentIndex\":1,\"duration\":\"3600000\",\"viewOffset\":\"1000\","
         "\"librarySectionID\":\"2\",\"grandparentKey\":\"/library/metadata/9\","
         "\"User\":{\"id\":\"1\",\"title\":\"ann\"},\"Session\":{\"bandwidth\":10000000,"
         "\"location\":\"wan\"},\"Player\":{\"address\":\"172.17.0.1\",\"state\":\"paused\","
         "\"remotePublicAddress\":\"::ffff:203.0.113.5\",\"machineIdentifier\":\"m1\","
         "\"relayed\":\"0\",\"secure\":true,\"title\":\"TV\"},"
         "\"TranscodeSession\":{\"videoDecision\":\"transcode\",\"audioDecision\":\"copy\","
         "\"videoCodec\":\"h264\",\"throttled\":\"1\",\"transcodeHwEncoding\":\"vaapi\"},"
         "\"Media\":[{\"id\":\"5\",\"selected\":\"1\",\"videoCodec\":\"h264\","
         "\"videoResolution\":\"720p\",\"bitrate\":4000,\"Part\":[{\"decision\":\"transcode\"}]}]}",
         "{\"Media\":[{\"id\":4,\"videoCodec\":\"av1\"},{\"id\":5,\"videoCodec\":\"HEVC\","
         "\"width\":3840,\"height\":1600,\"videoResolution\":\"4k\",\"bitrate\":\"30000\","
         "\"container\":\"mkv\",\"Part\":[{\"Stream\":[{\"id\":1,\"streamType\":1,"
         "\"colorTrc\":\"smpte2084\"},{\"id\":2,\"streamType\":2,\"codec\":\"eac3\","
         "\"channels\":6,\"languageCode\":\"deu\"}]}]}],"
         "\"Marker\":[{\"type\":\"credits\",\"startTimeOffset\":3300000}],"
         "\"Guid\":[{\"id\":\"imdb://tt1\"},{\"id\":\"tvdb://2\"}]}",
         {{"session", "7"}, {"state", "paused"}, {"season", "1"}, {"episode", "3"},
          {"position_ms", "1000"}, {"duration_ms", "3600000"}, {"address", "203.0.113.5"},
          {"bandwidth_kbps", ""}, {"transcode_decision", "transcode"},
          {"audio_decision", "copy"}, {"video_codec", "hevc"}, {"video_resolution", "4k"},
          {"video_dynamic_range", "HDR10"}, {"stream_video_resolution", "720"},
          {"hw_encode", "vaapi"}, {"credits_ms", "3300000"}, {"provider_ids", "imdb:tt1 tvdb:2"},
          {"grandparent_key", "9"}, {"audio_channels", "6"}}},
        /* A direct stream without TranscodeSession; no User, Session or state. */
        {"{\"sessionKey\":8,\"ratingKey\":12,\"type\":\"movie\",\"year\":\"0000\",\"User\":{},"
         "\"Player\":{\"address\":\"192.168.1.5\",\"local\":1},\"Media\":[{\"Part\":[{"
         "\"decision\":\"transcode\",\"Stream\":[{\"streamType\":1,\"decision\":\"copy\","
         "\"codec\":\"h264\"},{\"streamType\":\"2\",\"decision\":\"copy\",\"codec\":\"aac\"}]}]}]}",
         NULL,
         {{"session", "8"}, {"state", "playing"}, {"transcode_decision", "copy"},
          {"location", "lan"}, {"address", "192.168.1.5"}, {"account_key", ""}, {"year", ""}}},
        {"{\"sessionKey\":\"9\",\"live\":\"1\",\"type\":\"episode\",\"title\":\"News\","
         "\"duration\":7200000,\"Player\":null,\"Media\":null}",
         NULL,
         {{"media_type", "live"}, {"duration_ms", ""}, {"transcode_decision", "direct play"}}},
        {"{\"sessionKey\":\"10\",\"type\":\"track\",\"guid\":\"library://x\"}",
         NULL,
         {{"media_type", "extra"}}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_arena struct arena a = {0};
        auto_json json_t *session = NULL;
        auto_json json_t *source = NULL;
        struct observation o;
        assert_int_equal(json_parse(str_of(rows[i].session), 1 << 20, 20, &session, NULL),
                         STATUS_OK);
        if (rows[i].source)
            assert_int_equal(json_parse(str_of(rows[i].source), 1 << 20, 20, &source, NULL),
                             STATUS_OK);
        assert_true(plex_session_read(&a, session, source, &o));
        o.server = "plex-1";
        o.observed_us = 1;
        check(&o, rows[i].expected);
    }
}

static void plex_tells_the_public_address_of_its_own_network(void **state)
{
    static const struct {
        const char *session, *address;
    } rows[] = {
        {"{\"Session\":{\"location\":\"lan\"},\"Player\":{\"address\":\"192.168.1.5\","
         "\"remotePublicAddress\":\"203.0.113.5\"}}", "203.0.113.5"},
        {"{\"Session\":{\"location\":\"wan\"},"
         "\"Player\":{\"remotePublicAddress\":\"203.0.113.5\"}}",
         ""},
        {"{\"Session\":{\"location\":\"lan\"},\"Player\":{\"relayed\":1,"
         "\"remotePublicAddress\":\"203.0.113.5\"}}", ""},
        {"{\"Session\":{\"location\":\"lan\"},\"Player\":{\"remotePublicAddress\":\"10.0.0.1\"}}", ""},
        {"{\"Session\":{\"location\":\"lan\"},\"Player\":null}", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_arena struct arena a = {0};
        auto_json json_t *session = NULL;
        assert_int_equal(json_parse(str_of(rows[i].session), 1 << 20, 20, &session, NULL),
                         STATUS_OK);
        assert_string_equal(plex_public_address(&a, session), rows[i].address);
    }
}

static void mediabrowser_sessions_read(void **state)
{
    static const struct {
        bool is_emby;
        const char *sessions;
        struct expected expected[16];
    } rows[] = {
        {false,
         "[{\"Id\":\"idle\",\"UserId\":\"00000000000000000000000000000000\"},"
         "{\"Id\":\"s1\",\"UserId\":\"u1\",\"UserName\":\"ann\",\"RemoteEndPoint\":\"10.0.0.9\","
         "\"DeviceId\":\"d1\",\"PlayState\":{\"PositionTicks\":600000000,\"IsPaused\":true,"
         "\"PlayMethod\":\"Transcode\",\"AudioStreamIndex\":1,\"SubtitleStreamIndex\":-1},"
         "\"TranscodingInfo\":{\"IsVideoDirect\":true,\"IsAudioDirect\":false,"
         "\"AudioCodec\":\"aac\",\"AudioChannels\":2,\"Bitrate\":8000000,"
         "\"TranscodeReasons\":[\"AudioCodecNotSupported\"]},"
         "\"NowPlayingItem\":{\"Id\":\"i1\",\"Type\":\"Episode\",\"Name\":\"Pilot\","
         "\"SeriesName\":\"Show\",\"RunTimeTicks\":\"36000000000\",\"IndexNumber\":2,"
         "\"ProviderIds\":{\"Imdb\":\"tt1\",\"Tvdb\":\"2\"},\"MediaStreams\":["
         "{\"Type\":\"Video\",\"Index\":0,\"Codec\":\"hevc\",\"Width\":3840,\"Height\":2160,"
         "\"VideoRange\":\"HDR\",\"VideoRangeType\":\"DOVIWithHDR10\",\"BitRate\":20000000},"
         "{\"Type\":\"Audio\",\"Index\":1,\"Codec\":\"truehd\",\"Channels\":8}]}}]",
         {{"session", "s1"}, {"account_key", "u1"}, {"state", "paused"}, {"position_ms", "60000"},
          {"duration_ms", "3600000"}, {"transcode_decision", "transcode"},
          {"video_decision", "copy"}, {"audio_decision", "transcode"},
          {"stream_audio_codec", "aac"}, {"video_dynamic_range", "Dolby Vision"},
          {"video_resolution", "4k"}, {"provider_ids", "imdb:tt1 tvdb:2"}, {"location", "lan"},
          {"transcode_reasons", "AudioCodecNotSupported"}}},
        /* Emby: numeric ids, no user, DirectStream of the file itself, address with port. */
        {true,
         "[{\"Id\":\"s2\",\"RemoteEndPoint\":\"203.0.113.5:5000\",\"PlayState\":{"
         "\"PlayMethod\":\"DirectStream\"},\"NowPlayingItem\":{\"Id\":4784184,\"Type\":\"Movie\","
         "\"Name\":\"Film\",\"Container\":\"mkv\",\"MediaStreams\":[{\"Type\":\"Video\","
         "\"Codec\":\"h264\",\"Width\":1280,\"Height\":536,\"ExtendedVideoType\":\"None\"}]}}]",
         {{"item_key", "4784184"}, {"transcode_decision", "direct play"}, {"account_key", ""},
          {"address", "203.0.113.5"}, {"location", "wan"}, {"video_resolution", "720"}}},
        {true,
         "[{\"Id\":\"s3\",\"UserId\":null,\"PlayState\":{\"PlayMethod\":\"Transcode\","
         "\"IsPaused\":true},\"TranscodingInfo\":null,\"NowPlayingItem\":{\"Id\":\"1\"}}]",
         {{"transcode_decision", "transcode"}, {"state", "paused"}, {"position_ms", ""}}},
        {false,
         "[{\"Id\":\"s4\",\"UserId\":\"u\",\"NowPlayingItem\":{\"Id\":\"t\",\"Type\":\"Audio\","
         "\"ExtraType\":\"ThemeSong\"}},17,null,{\"NowPlayingItem\":{}}]",
         {{"media_type", "extra"}}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_arena struct arena a = {0};
        auto_json json_t *root = NULL;
        struct mediabrowser_kind kind = {.has_remux = !rows[i].is_emby};
        struct observation *seen;
        size_t count;
        assert_int_equal(json_parse(str_of(rows[i].sessions), 1 << 20, 20, &root, NULL),
                         STATUS_OK);
        mediabrowser_sessions(&kind, root, &a, &seen, &count);
        assert_int_equal(count, 1);
        seen[0].server = "x-1";
        seen[0].observed_us = 1;
        check(&seen[0], rows[i].expected);
    }
}

static void addresses_are_told_apart(void **state)
{
    static const struct {
        const char *text, *address;
        bool is_private;
    } rows[] = {
        {"::ffff:10.1.2.3", "10.1.2.3", true},  {"[2001:db8::1]:443", "2001:db8::1", false},
        {"fe80::1%eth0", "fe80::1", true},      {"1.2.3.4:80", "1.2.3.4", false},
        {"100.64.0.1", "100.64.0.1", true},     {"not an address", "", false},
        {"", "", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_arena struct arena a = {0};
        assert_string_equal(fact_address(&a, rows[i].text), rows[i].address);
        assert_int_equal(fact_address_is_private(rows[i].address), rows[i].is_private);
    }
}

/* Rows of a library as items: what the file is, when it came, how it is known again. */
static void items_of_libraries_read(void **state)
{
    static const struct {
        const struct source_ops *ops;
        const char *row;
        bool is_one;
        int64_t added_s, size_bytes; /* 0: unknown */
        bool has_file_key;
        struct expected expected[12];
    } rows[] = {
        {&plex_source,
         "{\"ratingKey\":\"11\",\"type\":\"movie\",\"title\":\"Heat\",\"year\":1995,\"addedAt\":1700000000,"
         "\"updatedAt\":\"1700000500\",\"guid\":\"plex://movie/1\",\"Guid\":[{\"id\":\"imdb://tt1\"}],"
         "\"duration\":7200000,\"Media\":[{\"bitrate\":9000,\"container\":\"mkv\",\"videoCodec\":\"hevc\","
         "\"audioCodec\":\"EAC3\",\"videoResolution\":\"1080\",\"Part\":[{\"file\":\"/m/1.mkv\",\"size\":100},"
         "{\"file\":\"/m/2.mkv\",\"size\":\"20\"}]},{\"Part\":[{\"size\":3},{\"size\":-4},{}]}]}",
         true, 1700000000, 123, true,
         {{"item_key", "11"}, {"provider_ids", "imdb:tt1"}, {"guid", "plex://movie/1"},
          {"video_codec", "hevc"}, {"audio_codec", "eac3"}, {"video_resolution", "1080"},
          {"video_dynamic_range", ""}, {"bitrate_kbps", "9000"}, {"container", "mkv"}}},
        {&plex_source, "{\"ratingKey\":\"12\",\"type\":\"episode\",\"title\":\"Pilot\",\"addedAt\":-3,"
                       "\"Media\":{\"Part\":5}}", true, 0, 0, false,
         {{"media_type", "episode"}, {"video_codec", ""}}},
        {&plex_source, "{\"ratingKey\":\"13\",\"type\":\"show\"}", false, 0, 0, false, {{0}}},
        {&plex_source, "{\"type\":\"movie\",\"title\":\"Without a key\"}", false, 0, 0, false, {{0}}},
        {&jellyfin_source,
         "{\"Id\":\"ab\",\"Type\":\"Movie\",\"Name\":\"Heat\",\"DateCreated\":\"2023-11-14T22:13:20.0000000Z\","
         "\"ProviderIds\":{\"Imdb\":\"tt1\"},\"RunTimeTicks\":72000000000,\"MediaSources\":[{\"Path\":\"/m/1.mkv\","
         "\"Size\":100,\"Container\":\"mkv\",\"Bitrate\":9000000,\"MediaStreams\":[{\"Type\":\"Video\","
         "\"Codec\":\"HEVC\",\"Width\":3840,\"Height\":1600,\"VideoRangeType\":\"DOVIWithHDR10\"},"
         "{\"Type\":\"Audio\",\"Codec\":\"truehd\"}]},{\"Size\":20}]}",
         true, 1700000000, 120, true,
         {{"provider_ids", "imdb:tt1"}, {"video_codec", "hevc"}, {"video_resolution", "4k"},
          {"video_dynamic_range", "Dolby Vision"}, {"audio_codec", "truehd"},
          {"bitrate_kbps", "9000"}, {"container", "mkv"}, {"duration_ms", "7200000"}}},
        {&emby_source, "{\"Id\":\"7\",\"Type\":\"Audio\",\"Name\":\"Song\",\"DateCreated\":\"0001-01-01T00:00:00Z\","
                       "\"Container\":\"flac\",\"MediaSources\":[]}", true, 0, 0, false,
         {{"media_type", "track"}, {"container", "flac"}}},
        {&emby_source, "{\"Id\":\"8\",\"Type\":\"Episode\",\"LocationType\":\"Virtual\"}", false, 0, 0,
         false, {{0}}},
        {&jellyfin_source, "{\"Id\":\"9\",\"Type\":\"Series\"}", false, 0, 0, false, {{0}}},
        {&jellyfin_source, "[5]", false, 0, 0, false, {{0}}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_arena struct arena a = {0};
        auto_json json_t *row = NULL;
        struct item item = {.added_us = TIME_NONE, .changed_us = TIME_NONE, .size_bytes = -1};
        observation_init(&item.what);
        assert_int_equal(json_parse(str_of(rows[i].row), 1 << 20, 20, &row, NULL), STATUS_OK);
        assert_int_equal(rows[i].ops->item_read(&a, row, &item), rows[i].is_one);
        if (!rows[i].is_one)
            continue;
        item.what.server = item.what.session = "";
        check(&item.what, rows[i].expected);
        assert_true(item.added_us == (rows[i].added_s ? rows[i].added_s * US_PER_S : TIME_NONE));
        assert_true(item.size_bytes == (rows[i].size_bytes ? rows[i].size_bytes : -1));
        assert_int_equal(strlen(item.what.file_key), rows[i].has_file_key ? 32 : 0);
    }
}

/* A path is not told, and the same file is known again. */
static void a_file_is_known_by_a_hash(void **state)
{
    auto_arena struct arena a = {0};
    const char *key = fact_file_key(&a, "/media/a.mkv", 5, 6);
    assert_string_equal(key, fact_file_key(&a, "/media/a.mkv", 5, 6));
    const char *const others[] = {fact_file_key(&a, "/media/b.mkv", 5, 6),
                                  fact_file_key(&a, "/media/a.mkv", 6, 6),
                                  fact_file_key(&a, "/media/a.mkv", 5, 7)};
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        assert_string_not_equal(key, others[i]);
    assert_null(strstr(key, "media"));
    assert_string_equal(fact_file_key(&a, "", 5, 6), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plex_sessions_read),
        cmocka_unit_test(plex_tells_the_public_address_of_its_own_network),
        cmocka_unit_test(mediabrowser_sessions_read),
        cmocka_unit_test(items_of_libraries_read),
        cmocka_unit_test(a_file_is_known_by_a_hash),
        cmocka_unit_test(addresses_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
