/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What asks is above, what is asked in the middle, the answers below; no answer is given by accident:
 * the button that says yes is armed UI_ARM_MS after the window is there, no key says yes unless the
 * person went to the button or typed a PIN, and what cannot be undone is held on for.
 *
 * Of a PIN, GTK keeps one copy in memory that is locked, and wiped when the window goes
 * (GtkPasswordEntryBuffer). What the keys went through on the way, X or Wayland and an input method,
 * keeps what it keeps. The entry has no way to show its text, which would leave it in a layout of
 * Pango's.
 */

#include "agent/dialog.h"

#include <gtk/gtk.h>
#ifdef GDK_WINDOWING_X11
#include <gdk/x11/gdkx.h>
#endif

#include "agent/intl.h"

#define SPACE         18
#define SPACE_WITHIN  6
#define HOLD_TICK_MS  40
#define PIN_TEXT_SIZE 1024

struct dialog {
        const struct ui_events *events;
        void *userdata;
        bool verify, is_blocked;
        unsigned hold_ms;

        GtkWindow *window; /* NULL: it has an answer */
        GtkWidget *confirm, *pin, *note, *finger, *finger_row, *progress;
        guint arm, tick;
        bool armed;
        gint64 held_since; /* 0: it is not held */
};

/* ---- answers ---- */

static void close_window(struct dialog *d) {
        GtkWindow *window = d->window;

        d->window = NULL;
        if (d->arm)
                g_source_remove(d->arm);
        if (d->tick)
                g_source_remove(d->tick);
        d->arm = d->tick = 0;
        if (window)
                gtk_window_destroy(window);
}

static void refuse(struct dialog *d) {
        close_window(d);
        d->events->answered(d->userdata, false, NULL);
}

static void set_note(struct dialog *d, const char *text) {
        gtk_label_set_text(GTK_LABEL(d->note), text);
        gtk_widget_set_visible(d->note, *text != '\0');
}

static void confirm(struct dialog *d) {
        char pin[PIN_TEXT_SIZE] = "";

        if (!d->armed)
                return;
        if (d->verify) {
                const char *typed = gtk_editable_get_text(GTK_EDITABLE(d->pin));

                if (!prompt_can_be_pin(typed)) {
                        set_note(d, prompt_no_pin());
                        gtk_widget_grab_focus(d->pin);
                        return;
                }
                g_strlcpy(pin, typed, sizeof(pin));
        }
        close_window(d);
        d->events->answered(d->userdata, true, d->verify ? pin : NULL);
        explicit_bzero(pin, sizeof(pin));
}

static void on_confirm(_unused_ GtkWidget *widget, gpointer userdata) {
        confirm(userdata);
}

static void on_refuse(_unused_ GtkWidget *widget, gpointer userdata) {
        refuse(userdata);
}

static gboolean on_close(_unused_ GtkWindow *window, gpointer userdata) {
        refuse(userdata);
        return TRUE;
}

static gboolean on_escape(_unused_ GtkWidget *widget, _unused_ GVariant *arguments,
                          gpointer userdata) {
        refuse(userdata);
        return TRUE;
}

static gboolean on_armed(gpointer userdata) {
        struct dialog *d = userdata;

        d->arm = 0;
        d->armed = true;
        if (d->confirm)
                gtk_widget_set_sensitive(d->confirm, TRUE);
        return G_SOURCE_REMOVE;
}

static void on_map(_unused_ GtkWidget *widget, gpointer userdata) {
        struct dialog *d = userdata;

        if (d->arm || d->armed)
                return;
        d->arm = g_timeout_add(UI_ARM_MS, on_armed, d);
        d->events->shown(d->userdata);
}

/* ---- holding on ---- */

static void stop_holding(struct dialog *d) {
        d->held_since = 0;
        if (d->tick)
                g_source_remove(d->tick);
        d->tick = 0;
        if (d->progress && d->window)
                gtk_progress_bar_set_fraction(GTK_PROGRESS_BAR(d->progress), 0);
}

static gboolean on_tick(gpointer userdata) {
        struct dialog *d = userdata;
        gint64 held_ms = (g_get_monotonic_time() - d->held_since) / 1000;

        if (held_ms < d->hold_ms) {
                gtk_progress_bar_set_fraction(GTK_PROGRESS_BAR(d->progress),
                                              (double)held_ms / d->hold_ms);
                return G_SOURCE_CONTINUE;
        }
        d->tick = 0;
        confirm(d);
        return G_SOURCE_REMOVE;
}

static void start_holding(struct dialog *d) {
        if (d->held_since || !d->armed)
                return;
        d->held_since = g_get_monotonic_time();
        d->tick = g_timeout_add(HOLD_TICK_MS, on_tick, d);
}

static bool is_button_key(guint key) {
        return key == GDK_KEY_space || key == GDK_KEY_KP_Space || key == GDK_KEY_Return ||
               key == GDK_KEY_KP_Enter || key == GDK_KEY_ISO_Enter;
}

static gboolean on_key_pressed(_unused_ GtkEventControllerKey *keys, guint key, _unused_ guint code,
                               _unused_ GdkModifierType modifiers, gpointer userdata) {
        if (!is_button_key(key))
                return FALSE;
        start_holding(userdata);
        return TRUE;
}

static void on_key_released(_unused_ GtkEventControllerKey *keys, guint key, _unused_ guint code,
                            _unused_ GdkModifierType modifiers, gpointer userdata) {
        if (is_button_key(key))
                stop_holding(userdata);
}

static void on_pressed(GtkGestureClick *gesture, _unused_ int n, _unused_ double x,
                       _unused_ double y, gpointer userdata) {
        struct dialog *d = userdata;

        gtk_gesture_set_state(GTK_GESTURE(gesture), GTK_EVENT_SEQUENCE_CLAIMED);
        gtk_widget_grab_focus(d->confirm);
        start_holding(d);
}

static void on_released(_unused_ GtkGestureClick *gesture, _unused_ int n, _unused_ double x,
                        _unused_ double y, gpointer userdata) {
        stop_holding(userdata);
}

static void on_let_go(_unused_ gpointer controller, gpointer userdata) {
        stop_holding(userdata);
}

/* In place of a click: keys and buttons of a mouse that stay down. */
static void make_holdable(struct dialog *d) {
        GtkEventController *keys = gtk_event_controller_key_new();
        GtkEventController *focus = gtk_event_controller_focus_new();
        GtkEventController *press = GTK_EVENT_CONTROLLER(gtk_gesture_click_new());

        gtk_event_controller_set_propagation_phase(keys, GTK_PHASE_CAPTURE);
        gtk_event_controller_set_propagation_phase(press, GTK_PHASE_CAPTURE);
        g_signal_connect(keys, "key-pressed", G_CALLBACK(on_key_pressed), d);
        g_signal_connect(keys, "key-released", G_CALLBACK(on_key_released), d);
        g_signal_connect(focus, "leave", G_CALLBACK(on_let_go), d);
        g_signal_connect(press, "pressed", G_CALLBACK(on_pressed), d);
        g_signal_connect(press, "released", G_CALLBACK(on_released), d);
        g_signal_connect(press, "stopped", G_CALLBACK(on_let_go), d);
        gtk_widget_add_controller(d->confirm, keys);
        gtk_widget_add_controller(d->confirm, focus);
        gtk_widget_add_controller(d->confirm, press);
}

/* ---- what is seen ---- */

/* A name that takes several lines has no hyphens but its own. */
static void set_verbatim(GtkWidget *label) {
        PangoAttrList *attributes = pango_attr_list_new();

        pango_attr_list_insert(attributes, pango_attr_insert_hyphens_new(FALSE));
        gtk_label_set_attributes(GTK_LABEL(label), attributes);
        pango_attr_list_unref(attributes);
}

static GtkWidget *new_label(const char *text, const char *class) {
        GtkWidget *label = gtk_label_new(text);

        gtk_label_set_xalign(GTK_LABEL(label), 0);
        gtk_label_set_wrap(GTK_LABEL(label), TRUE);
        gtk_label_set_wrap_mode(GTK_LABEL(label), PANGO_WRAP_WORD_CHAR);
        /* It asks for no room, and takes what the window has: all of them are equally wide. */
        gtk_label_set_max_width_chars(GTK_LABEL(label), 1);
        gtk_widget_set_hexpand(label, TRUE);
        set_verbatim(label);
        if (class)
                gtk_widget_add_css_class(label, class);
        return label;
}

/* For a screen reader, in place of the label that the eye sees. */
static void set_spoken(GtkWidget *widget, const char *text) {
        gtk_accessible_reset_relation(GTK_ACCESSIBLE(widget), GTK_ACCESSIBLE_RELATION_LABELLED_BY);
        gtk_accessible_update_property(GTK_ACCESSIBLE(widget), GTK_ACCESSIBLE_PROPERTY_LABEL, text,
                                       -1);
}

/* A label that a screen reader reads out when it changes. */
static GtkWidget *new_live_label(GtkAccessibleRole role, const char *class) {
        GtkWidget *label = g_object_new(GTK_TYPE_LABEL, "accessible-role", role, "xalign", 0.0f,
                                        "wrap", TRUE, "max-width-chars", 1, "hexpand", TRUE, NULL);

        gtk_widget_add_css_class(label, class);
        return label;
}

/*
 * The icon has the focus at first where no PIN is asked for: keys that were meant for something else go
 * there, and it takes none. To a screen reader it says what the words beside it say.
 */
static GtkWidget *new_icon(const struct prompt *p) {
        GtkWidget *icon = gtk_image_new_from_icon_name("tpmauthn");
        char *text = g_strdup_printf("%s %s", p->headline, p->site);

        gtk_image_set_pixel_size(GTK_IMAGE(icon), 64);
        gtk_widget_set_valign(icon, GTK_ALIGN_START);
        gtk_widget_add_css_class(icon, "tpmauthn-icon");
        set_spoken(icon, text);
        g_free(text);
        return icon;
}

static GtkWidget *new_head(const struct prompt *p, GtkWidget *icon) {
        GtkWidget *head = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, SPACE);
        GtkWidget *words = gtk_box_new(GTK_ORIENTATION_VERTICAL, SPACE_WITHIN);
        GtkWidget *line = new_label(p->headline, *p->site ? "tpmauthn-verb" : "tpmauthn-site");

        gtk_widget_set_valign(words, GTK_ALIGN_CENTER);
        gtk_widget_set_hexpand(words, TRUE);
        gtk_box_append(GTK_BOX(words), line);
        if (*p->site) {
                GtkWidget *site = new_label(p->site, "tpmauthn-site");

                /* What it ends with decides whose it is. */
                gtk_widget_set_direction(site, GTK_TEXT_DIR_LTR);
                gtk_box_append(GTK_BOX(words), site);
        }
        gtk_box_append(GTK_BOX(head), icon);
        gtk_box_append(GTK_BOX(head), words);
        return head;
}

static int add_row(GtkGrid *grid, int row, const char *caption, const char *value) {
        GtkWidget *name, *what;

        if (!*value)
                return row;
        name = gtk_label_new(caption);
        what = new_label(value, NULL);
        gtk_label_set_xalign(GTK_LABEL(name), 0);
        gtk_widget_set_valign(name, GTK_ALIGN_START);
        gtk_widget_add_css_class(name, "dim-label");
        gtk_grid_attach(grid, name, 0, row, 1, 1);
        gtk_grid_attach(grid, what, 1, row, 1, 1);
        return row + 1;
}

static void add_pin(struct dialog *d, GtkGrid *grid, int row) {
        GtkWidget *name = gtk_label_new_with_mnemonic(_("_PIN"));

        d->pin = gtk_password_entry_new();
        gtk_widget_set_hexpand(d->pin, TRUE);
        gtk_label_set_xalign(GTK_LABEL(name), 0);
        gtk_label_set_mnemonic_widget(GTK_LABEL(name), d->pin);
        gtk_widget_add_css_class(name, "dim-label");
        set_spoken(d->pin, _("PIN of this computer's passkeys"));
        g_signal_connect(d->pin, "activate", G_CALLBACK(on_confirm), d);
        gtk_grid_attach(grid, name, 0, row, 1, 1);
        gtk_grid_attach(grid, d->pin, 1, row, 1, 1);
}

static GtkWidget *new_details(struct dialog *d, const struct prompt *p) {
        GtkGrid *grid = GTK_GRID(gtk_grid_new());
        int row = 0;

        gtk_grid_set_column_spacing(grid, SPACE);
        gtk_grid_set_row_spacing(grid, SPACE_WITHIN);
        row = add_row(grid, row, prompt_caption_account(), p->account);
        row = add_row(grid, row, prompt_caption_machine(), p->machine);
        row = add_row(grid, row, prompt_caption_holders(), p->holders);
        if (d->verify)
                add_pin(d, grid, row);
        return GTK_WIDGET(grid);
}

static GtkWidget *new_finger(struct dialog *d) {
        GtkWidget *icon = gtk_image_new_from_icon_name("auth-fingerprint-symbolic");

        d->finger_row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, SPACE_WITHIN);
        d->finger = new_live_label(GTK_ACCESSIBLE_ROLE_STATUS, "dim-label");
        gtk_box_append(GTK_BOX(d->finger_row), icon);
        gtk_box_append(GTK_BOX(d->finger_row), d->finger);
        return d->finger_row;
}

static GtkWidget *new_hold_hint(struct dialog *d) {
        GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, SPACE_WITHIN);
        unsigned seconds = d->hold_ms / 1000;
        char *text =
                g_strdup_printf(ngettext("Hold the button, or its key, for %u second.",
                                         "Hold the button, or its key, for %u seconds.", seconds),
                                seconds);

        d->progress = gtk_progress_bar_new();
        set_spoken(d->progress, text);
        gtk_box_append(GTK_BOX(box), new_label(text, "dim-label"));
        gtk_box_append(GTK_BOX(box), d->progress);
        g_free(text);
        return box;
}

/* A mark of a mnemonic is not to be read out. */
static GtkWidget *new_button(const char *label) {
        GtkWidget *button = gtk_button_new_with_mnemonic(label);
        char *plain = prompt_plain(label);

        if (plain)
                set_spoken(button, plain);
        free(plain);
        return button;
}

static GtkWidget *new_buttons(struct dialog *d, const struct question *q, const struct prompt *p) {
        GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, SPACE_WITHIN * 2);
        GtkWidget *button = new_button(p->refuse);

        gtk_widget_set_halign(row, GTK_ALIGN_END);
        gtk_widget_set_margin_top(row, SPACE_WITHIN);
        g_signal_connect(button, "clicked", G_CALLBACK(on_refuse), d);
        gtk_box_append(GTK_BOX(row), button);
        if (d->is_blocked)
                return row;

        d->confirm = new_button(p->confirm);
        gtk_widget_set_sensitive(d->confirm, FALSE);
        gtk_widget_add_css_class(d->confirm,
                                 q->verb == VERB_RESET ? "destructive-action" : "suggested-action");
        if (d->hold_ms > 0)
                make_holdable(d);
        else
                g_signal_connect(d->confirm, "clicked", G_CALLBACK(on_confirm), d);
        gtk_box_append(GTK_BOX(row), d->confirm);
        return row;
}

static void describe(struct dialog *d, const struct prompt *p) {
        char *text = prompt_text(p);

        gtk_accessible_update_property(GTK_ACCESSIBLE(d->window), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                       p->title, GTK_ACCESSIBLE_PROPERTY_DESCRIPTION,
                                       text ? text : "", -1);
        free(text);
}

static void add_escape(struct dialog *d) {
        GtkEventController *keys = gtk_shortcut_controller_new();
        GtkShortcut *escape = gtk_shortcut_new(gtk_keyval_trigger_new(GDK_KEY_Escape, 0),
                                               gtk_callback_action_new(on_escape, d, NULL));

        gtk_event_controller_set_propagation_phase(keys, GTK_PHASE_CAPTURE);
        gtk_shortcut_controller_add_shortcut(GTK_SHORTCUT_CONTROLLER(keys), escape);
        gtk_widget_add_controller(GTK_WIDGET(d->window), keys);
}

static void fill(struct dialog *d, const struct question *q, const struct prompt *p) {
        GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, SPACE);
        GtkWidget *icon = new_icon(p);

        gtk_widget_set_margin_top(box, SPACE + SPACE_WITHIN);
        gtk_widget_set_margin_bottom(box, SPACE + SPACE_WITHIN);
        gtk_widget_set_margin_start(box, SPACE + SPACE_WITHIN);
        gtk_widget_set_margin_end(box, SPACE + SPACE_WITHIN);
        gtk_widget_add_css_class(box, "tpmauthn-question");
        gtk_box_append(GTK_BOX(box), new_head(p, icon));
        if (p->detail)
                gtk_box_append(GTK_BOX(box), new_label(p->detail, NULL));
        d->note = new_live_label(GTK_ACCESSIBLE_ROLE_ALERT, "tpmauthn-note");
        set_note(d, p->note);
        gtk_box_append(GTK_BOX(box), d->note);
        gtk_box_append(GTK_BOX(box), new_details(d, p));
        gtk_box_append(GTK_BOX(box), new_finger(d));
        if (d->hold_ms > 0 && !d->is_blocked)
                gtk_box_append(GTK_BOX(box), new_hold_hint(d));
        gtk_box_append(GTK_BOX(box), new_buttons(d, q, p));
        gtk_window_set_child(d->window, box);

        gtk_widget_set_focusable(icon, !d->pin);
        gtk_window_set_focus(d->window, d->pin ? d->pin : icon);
        dialog_finger(d, q->finger);
}

/* On Wayland it is the compositor that decides, and a window that comes up by itself gets no focus. */
static void ask_for_no_focus(_unused_ GtkWindow *window) {
#ifdef GDK_WINDOWING_X11
        GdkSurface *surface = gtk_native_get_surface(GTK_NATIVE(window));

        if (GDK_IS_X11_SURFACE(surface))
                gdk_x11_surface_set_user_time(surface, 0);
#endif
}

static void show_quietly(GtkWindow *window) {
        gtk_widget_realize(GTK_WIDGET(window));
        ask_for_no_focus(window);
        gtk_widget_set_visible(GTK_WIDGET(window), TRUE);
}

struct dialog *dialog_new(const struct question *q, const struct prompt *p, bool quietly,
                          const struct ui_events *events, void *userdata) {
        struct dialog *d = calloc(1, sizeof(*d));

        if (!d)
                return NULL;
        d->events = events;
        d->userdata = userdata;
        d->is_blocked = p->is_blocked;
        d->verify = q->verify && !p->is_blocked;
        d->hold_ms = q->hold_s * 1000;
        d->window =
                g_object_new(GTK_TYPE_WINDOW, "accessible-role", GTK_ACCESSIBLE_ROLE_ALERT_DIALOG,
                             "title", p->title, "resizable", FALSE, "icon-name", "tpmauthn", NULL);
        fill(d, q, p);
        describe(d, p);
        add_escape(d);
        g_signal_connect(d->window, "close-request", G_CALLBACK(on_close), d);
        g_signal_connect(d->window, "map", G_CALLBACK(on_map), d);
        if (quietly)
                show_quietly(d->window);
        else
                gtk_window_present(d->window);
        return d;
}

struct dialog *dialog_free(struct dialog *d) {
        if (d)
                close_window(d);
        free(d);
        return NULL;
}

void dialog_finger(struct dialog *d, enum finger state) {
        const char *text = prompt_finger(state);

        gtk_widget_set_visible(d->finger_row, text != NULL);
        gtk_label_set_text(GTK_LABEL(d->finger), text ? text : "");
}
