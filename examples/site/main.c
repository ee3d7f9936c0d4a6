/* SPDX-License-Identifier: BSD-2-Clause */

/* site: options → pages, roots, server → exit status. */

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "examples/site/server.h"

#define DEFAULT_PORT 8080

static const char help[] =
        "Usage: site [OPTION]...\n"
        "A site with passkeys, for a look at both halves of the handshake. It is reached from this\n"
        "computer only.\n"
        "\n"
        "      --port PORT              its port (default: 8080; 0: one that is free)\n"
        "      --other-port PORT        that of a page which looks like it and is not (default: the next)\n"
        "      --database FILE          where passkeys are kept (default: in memory)\n"
        "      --pages FOLDER           where its pages lie\n"
        "      --attestation-root FILE  certificates, in PEM, that attestations have to lead to\n"
        "      --help                   this\n";

struct options {
        const char *database, *pages, *root;
        unsigned port, other_port;
};

/* False: it is no port. */
static bool read_port(const char *text, unsigned *ret) {
        char *end;
        unsigned long n = strtoul(text, &end, 10);

        if (*text < '0' || *text > '9' || *end || n > UINT16_MAX)
                return false;
        *ret = (unsigned)n;
        return true;
}

/* 0, 1 if there is nothing more to do, or -EINVAL. */
static int read_options(int argc, char **argv, struct options *o) {
        static const struct option options[] = {
                { "port", required_argument, NULL, 'p' },
                { "other-port", required_argument, NULL, 'o' },
                { "database", required_argument, NULL, 'd' },
                { "pages", required_argument, NULL, 'f' },
                { "attestation-root", required_argument, NULL, 'r' },
                { "help", no_argument, NULL, 'h' },
                { NULL, 0, NULL, 0 },
        };
        bool is_good = true;
        unsigned other = UINT_MAX;
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case 'p':
                        is_good &= read_port(optarg, &o->port);
                        break;
                case 'o':
                        is_good &= read_port(optarg, &other);
                        break;
                case 'd':
                        o->database = optarg;
                        break;
                case 'f':
                        o->pages = optarg;
                        break;
                case 'r':
                        o->root = optarg;
                        break;
                case 'h':
                        fputs(help, stdout);
                        return 1;
                default:
                        is_good = false;
                }
        o->other_port = other != UINT_MAX ? other : o->port > 0 ? o->port + 1 : 0;
        if (is_good && optind == argc && o->other_port <= UINT16_MAX)
                return 0;
        fputs(help, stderr);
        return -EINVAL;
}

static void free_roots(X509_STORE **roots) {
        X509_STORE_free(*roots);
}

/* Without a file there are none, which is no failure. */
static int read_roots(const char *path, X509_STORE **ret) {
        _cleanup_(free_roots) X509_STORE *roots = NULL;

        if (!path)
                return 0;
        roots = X509_STORE_new();
        if (!roots)
                return -ENOMEM;
        if (X509_STORE_load_file(roots, path) != 1) {
                fprintf(stderr, "site: %s: no certificates can be read from it\n", path);
                return -EINVAL;
        }
        *ret = TAKE_PTR(roots);
        return 0;
}

static int run(const struct options *o, const struct pages *pages) {
        _cleanup_(server_free) struct server *s = NULL;
        _cleanup_(free_roots) X509_STORE *roots = NULL;
        int r = read_roots(o->root, &roots);

        if (r < 0)
                return r;
        r = server_new(&(struct server_options){ .pages = pages,
                                                 .database = o->database,
                                                 .roots = roots,
                                                 .port = (uint16_t)o->port,
                                                 .other_port = (uint16_t)o->other_port },
                       &s);
        if (r == -EPROTO)
                fprintf(stderr, "site: %s: another version made it\n", o->database);
        if (r < 0)
                return r;
        printf("%s/\n", server_origin(s));
        fflush(stdout);
        return server_run(s);
}

int main(int argc, char **argv) {
        struct options o = { .database = ":memory:", .pages = SITE_PAGES, .port = DEFAULT_PORT };
        struct pages pages = { 0 };
        int r = read_options(argc, argv, &o);

        if (r > 0)
                return EXIT_SUCCESS;
        if (r < 0)
                return 2;
        r = pages_read(o.pages, &pages);
        if (r == 0)
                r = run(&o, &pages);
        pages_done(&pages);
        if (r < 0)
                fprintf(stderr, "site: %s\n", strerror(-r));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
