/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Dialogs of GTK 4. The loop is GLib's here, with the event loop of everything else as one source of
 * it. Where there is a notification service, passive questions do not come here.
 */

#include <errno.h>
#include <gtk/gtk.h>
#include <stdlib.h>

#include "agent/dialog.h"
#include "agent/intl.h"
#include "agent/ui.h"

#define RESOURCES "/tpmauthn"

#define PORTAL       "org.freedesktop.portal.Desktop"
#define PORTAL_PATH  "/org/freedesktop/portal/desktop"
#define SETTINGS     "org.freedesktop.portal.Settings"
#define APPEARANCE   "org.freedesktop.appearance"
#define COLOR_SCHEME "color-scheme"
#define PREFER_DARK  1
/* A desktop that starts has its portal later: what it says then arrives as a change. */
#define PORTAL_WAIT_MS 1000

struct ui_gtk {
        struct ui ui;
        struct dialog *dialog;
        GSource *source;
        GDBusConnection *bus; /* NULL: none */
        guint subscription;
};

static struct ui_gtk *gtk_of(struct ui *ui) {
        return container_of(ui, struct ui_gtk, ui);
}

/* ---- the other loop: sd_event_get_fd(3) ---- */

struct event_source {
        GSource source;
        GPollFD fd;
        sd_event *event;
};

static sd_event *event_of(GSource *source) {
        return ((struct event_source *)(void *)source)->event;
}

static gboolean prepare(GSource *source, _unused_ gint *timeout) {
        sd_event *event = event_of(source);

        /* GLib asks again without check() when a source of more weight is ready. */
        if (sd_event_get_state(event) == SD_EVENT_ARMED)
                return FALSE;
        return sd_event_get_state(event) == SD_EVENT_PENDING || sd_event_prepare(event) != 0;
}

static gboolean check(GSource *source) {
        return sd_event_get_state(event_of(source)) == SD_EVENT_ARMED &&
               sd_event_wait(event_of(source), 0) != 0;
}

static gboolean dispatch(GSource *source, _unused_ GSourceFunc callback, _unused_ gpointer data) {
        return sd_event_dispatch(event_of(source)) > 0;
}

static GSource *new_source(sd_event *event) {
        static GSourceFuncs functions = { .prepare = prepare,
                                          .check = check,
                                          .dispatch = dispatch };
        GSource *source = g_source_new(&functions, sizeof(struct event_source));
        struct event_source *s = (struct event_source *)(void *)source;

        s->event = event;
        s->fd.fd = sd_event_get_fd(event);
        s->fd.events = G_IO_IN | G_IO_HUP | G_IO_ERR;
        g_source_add_poll(source, &s->fd);
        g_source_attach(source, NULL);
        return source;
}

/* ---- the desktop's style ---- */

/* Takes the value. */
static void take_color_scheme(GVariant *value) {
        GtkSettings *settings = gtk_settings_get_default();

        /* Read gives a variant in a variant. */
        while (g_variant_is_of_type(value, G_VARIANT_TYPE_VARIANT)) {
                GVariant *inner = g_variant_get_variant(value);

                g_variant_unref(value);
                value = inner;
        }
        if (settings && g_variant_is_of_type(value, G_VARIANT_TYPE_UINT32))
                g_object_set(settings, "gtk-application-prefer-dark-theme",
                             g_variant_get_uint32(value) == PREFER_DARK, NULL);
        g_variant_unref(value);
}

static void on_setting(_unused_ GDBusConnection *bus, _unused_ const char *sender,
                       _unused_ const char *path, _unused_ const char *interface,
                       _unused_ const char *signal, GVariant *parameters,
                       _unused_ gpointer userdata) {
        const char *namespace, *key;
        GVariant *value;

        if (!g_variant_is_of_type(parameters, G_VARIANT_TYPE("(ssv)")))
                return;
        g_variant_get(parameters, "(&s&sv)", &namespace, &key, &value);
        if (strcmp(namespace, APPEARANCE) == 0 && strcmp(key, COLOR_SCHEME) == 0)
                take_color_scheme(g_variant_ref(value));
        g_variant_unref(value);
}

static void follow_color_scheme(struct ui_gtk *g) {
        GVariant *reply;

        g->bus = g_bus_get_sync(G_BUS_TYPE_SESSION, NULL, NULL);
        if (!g->bus)
                return;
        g->subscription = g_dbus_connection_signal_subscribe(g->bus, PORTAL, SETTINGS,
                                                             "SettingChanged", PORTAL_PATH,
                                                             APPEARANCE, G_DBUS_SIGNAL_FLAGS_NONE,
                                                             on_setting, NULL, NULL);
        reply = g_dbus_connection_call_sync(g->bus, PORTAL, PORTAL_PATH, SETTINGS, "Read",
                                            g_variant_new("(ss)", APPEARANCE, COLOR_SCHEME),
                                            G_VARIANT_TYPE("(v)"), G_DBUS_CALL_FLAGS_NONE,
                                            PORTAL_WAIT_MS, NULL, NULL);
        if (!reply)
                return;
        take_color_scheme(g_variant_get_child_value(reply, 0));
        g_variant_unref(reply);
}

static void add_style(void) {
        GdkDisplay *display = gdk_display_get_default();
        GtkCssProvider *provider = gtk_css_provider_new();

        gtk_css_provider_load_from_resource(provider, RESOURCES "/agent.css");
        gtk_style_context_add_provider_for_display(display, GTK_STYLE_PROVIDER(provider),
                                                   GTK_STYLE_PROVIDER_PRIORITY_APPLICATION);
        g_object_unref(provider);
        /* Also before it is installed. */
        gtk_icon_theme_add_resource_path(gtk_icon_theme_get_for_display(display),
                                         RESOURCES "/icons");
}

/* ---- the way of asking ---- */

static int gtk_ask(struct ui *ui, const struct question *q, const struct prompt *p) {
        struct ui_gtk *g = gtk_of(ui);

        g->dialog = dialog_free(g->dialog);
        g->dialog = dialog_new(q, p, q->passive, ui->events, ui->userdata);
        return g->dialog ? 0 : -ENOMEM;
}

static void gtk_finger(struct ui *ui, enum finger state) {
        struct ui_gtk *g = gtk_of(ui);

        if (g->dialog)
                dialog_finger(g->dialog, state);
}

static void gtk_withdraw(struct ui *ui, _unused_ enum withdrawal why) {
        struct ui_gtk *g = gtk_of(ui);

        g->dialog = dialog_free(g->dialog);
}

static int gtk_run(struct ui *ui, sd_event *event) {
        int code = 0;

        gtk_of(ui)->source = new_source(event);
        while (sd_event_get_state(event) != SD_EVENT_FINISHED)
                g_main_context_iteration(NULL, TRUE);
        (void)!sd_event_get_exit_code(event, &code);
        return code;
}

static void gtk_free(struct ui *ui) {
        struct ui_gtk *g = gtk_of(ui);

        dialog_free(g->dialog);
        if (g->source) {
                g_source_destroy(g->source);
                g_source_unref(g->source);
        }
        if (g->bus) {
                g_dbus_connection_signal_unsubscribe(g->bus, g->subscription);
                g_object_unref(g->bus);
        }
        free(g);
}

int ui_gtk_new(_unused_ sd_event *event, const struct ui_events *events, void *userdata,
               struct ui **ret) {
        static const struct ui_ops ops = {
                .name = "gtk4",
                .leaves_passive = true,
                .holds = true,
                .ask = gtk_ask,
                .finger = gtk_finger,
                .withdraw = gtk_withdraw,
                .run = gtk_run,
                .free = gtk_free,
        };
        struct ui_gtk *g;

        g_set_prgname("tpmauthn-agent");
        if (!gtk_init_check())
                return -ENOTSUP;
        g = calloc(1, sizeof(*g));
        if (!g)
                return -ENOMEM;

        g_set_application_name(_("Passkeys of this computer"));
        g->ui = (struct ui){ &ops, events, userdata };
        add_style();
        follow_color_scheme(g);
        *ret = &g->ui;
        return 0;
}
