//! The widgets of the library window, and how the model becomes what they show.

use super::{App, AppInput, LinkState, Place};
use crate::actions::{self, Action, ActionGroup};
use crate::model::row;
use crate::pages::away::AwayPage;
use crate::pages::empty;
use crate::pages::guest::{GuestPage, GuestWish};
use crate::pages::library::LibraryPage;
use crate::widgets::host_bar::HostBar;
use crate::widgets::rename;
use adw::prelude::*;
use gtk::{gdk, gio, glib};
use relm4::prelude::*;
use virt_kit::i18n::gettext;

/// The widgets.
#[derive(Debug)]
pub struct View {
    pub(super) library: LibraryPage,
    pub(super) guest: GuestPage,
    toasts: adw::ToastOverlay,
    stack: gtk::Stack,
    leaflet: adw::Leaflet,
    away: AwayPage,
    actions: ActionGroup,
    host_bars: [HostBar; 2],
}

impl View {
    /// Builds the window's content.
    pub(super) fn new(window: &adw::ApplicationWindow, sender: &ComponentSender<App>) -> Self {
        let input = sender.input_sender();
        let say = |message: fn() -> AppInput| {
            let input = input.clone();
            move || input.emit(message())
        };
        let host_bar = || HostBar::new(say(|| AppInput::HostDetails), say(|| AppInput::DismissHostBar));
        let host_bars = [host_bar(), host_bar()];

        let library = LibraryPage::new(
            &main_menu(),
            {
                let input = input.clone();
                move |news| input.emit(AppInput::List(news))
            },
            {
                let input = input.clone();
                move |text| input.emit(AppInput::Search(text))
            },
        );
        let guest = GuestPage::new(&host_bars[0], {
            let input = input.clone();
            move |id, wish| match (id, wish) {
                (_, GuestWish::Back) => input.emit(AppInput::Back),
                (Some(id), wish) => input.emit(AppInput::Guest(Place::Library, id, wish)),
                (None, _) => {}
            }
        });
        let away = AwayPage::new(&main_menu(), say(|| AppInput::StartCore), say(|| AppInput::AwayDetails));
        let leaflet = adw::Leaflet::builder().can_navigate_back(true).can_unfold(true).build();
        leaflet.append(library.widget());
        let separator = gtk::Separator::new(gtk::Orientation::Vertical);
        leaflet.append(&separator).set_navigatable(false);
        leaflet.append(guest.widget());

        let stack = gtk::Stack::new();
        stack.add_named(&connecting(), Some("connecting"));
        stack.add_named(away.widget(), Some("away"));
        stack.add_named(&empty::build(&main_menu(), &host_bars[1]), Some("empty"));
        stack.add_named(&leaflet, Some("library"));

        let overlay = gtk::Overlay::builder().child(&stack).build();
        let highlight = drop_highlight();
        overlay.add_overlay(&highlight);
        let toasts = adw::ToastOverlay::new();
        toasts.set_child(Some(&overlay));
        window.set_content(Some(&toasts));
        window.add_controller(drop_target(&highlight, sender));
        window.connect_close_request({
            let input = input.clone();
            move |_| {
                input.emit(AppInput::Close);
                glib::Propagation::Stop
            }
        });
        let actions = ActionGroup::install(window, {
            let input = input.clone();
            move |action| input.emit(AppInput::Act(action))
        });
        let this = Self { library, guest, toasts, stack, leaflet, away, actions, host_bars };
        this.follow_folding(sender);
        this
    }

    fn follow_folding(&self, sender: &ComponentSender<App>) {
        let input = sender.input_sender().clone();
        self.leaflet.connect_folded_notify({
            let input = input.clone();
            move |_| input.emit(AppInput::Folded)
        });
        let list = self.library.widget().clone();
        self.leaflet.connect_visible_child_notify(move |leaflet| {
            // Back on the list nothing is selected, so that the same row can be pressed again.
            if leaflet.is_folded() && leaflet.visible_child().as_ref() == Some(list.upcast_ref()) {
                input.emit(AppInput::Back);
            }
        });
    }

    /// Makes the widgets show the model.
    pub(super) fn show(&mut self, app: &App) {
        let page = match &app.link {
            // The guests stay in sight while a new core is awaited.
            LinkState::Connecting => "connecting",
            LinkState::Away(problem) => {
                self.away.show(problem.as_ref());
                "away"
            }
            LinkState::Up if app.library.guests().len() == 0 && app.library.jobs().len() == 0 => "empty",
            LinkState::Up => "library",
        };
        self.stack.set_visible_child_name(page);
        let selected = app.selected.and_then(|id| app.library.guest(id));
        self.guest.show(selected, app.library.host());
        self.library.set_folded(self.leaflet.is_folded());
        self.guest.set_folded(self.leaflet.is_folded());
        self.library.summarize(&row::summary(&app.library));
        self.actions.update(app.is_up(), selected);
        let no_acceleration = if app.host_bar_dismissed { None } else { app.no_acceleration() };
        for bar in &self.host_bars {
            bar.show(no_acceleration.as_ref());
        }
        if selected.is_none() {
            self.go_to_guest(false);
        }
    }

    /// Where both don't fit beside each other: shows the guest's page, or the list.
    pub(super) fn go_to_guest(&self, guest: bool) {
        // Beside each other neither is gone to: it would take the keyboard away from the list.
        if !self.leaflet.is_folded() {
            return;
        }
        let page: &gtk::Box = if guest { self.guest.widget() } else { self.library.widget() };
        self.leaflet.set_visible_child(page);
    }

    /// Says something for a moment.
    pub(super) fn say(&self, what: &str) {
        self.toasts.add_toast(adw::Toast::new(&glib::markup_escape_text(what)));
    }

    /// Says that something failed; `details` is called when somebody wants to know more.
    pub(super) fn toast(&self, what: &str, details: impl Fn() + 'static) {
        let toast = adw::Toast::builder()
            .title(glib::markup_escape_text(what))
            .button_label(gettext("Details"))
            .timeout(8)
            .build();
        toast.connect_button_clicked(move |toast| {
            toast.dismiss();
            details();
        });
        self.toasts.add_toast(toast);
    }
}

fn main_menu() -> gtk::MenuButton {
    let menu = gtk::MenuButton::builder()
        .icon_name("open-menu-symbolic")
        .primary(true)
        .menu_model(&actions::menu(&[
            &[Action::ChooseInstaller],
            &[Action::Shortcuts, Action::About],
            &[Action::Quit],
        ]))
        .build();
    rename(&menu, &gettext("Main Menu"));
    menu
}

/// Shown for the moment until the core has said what there is.
fn connecting() -> gtk::Box {
    let words = gtk::Label::builder()
        .label(gettext("Connecting to the hypervisor core…"))
        .vexpand(true)
        .css_classes(["dim-label", "appears-late"])
        .build();
    let page = gtk::Box::new(gtk::Orientation::Vertical, 0);
    page.append(&adw::HeaderBar::new());
    page.append(&words);
    page
}

fn drop_highlight() -> gtk::Box {
    let words = gtk::Label::builder()
        .label(gettext("Drop to Make a Guest"))
        .css_classes(["title-1"])
        .hexpand(true)
        .vexpand(true)
        .build();
    let highlight =
        gtk::Box::builder().visible(false).can_target(false).css_classes(["drop-highlight"]).build();
    highlight.append(&words);
    highlight
}

fn drop_target(highlight: &gtk::Box, sender: &ComponentSender<App>) -> gtk::DropTarget {
    let target = gtk::DropTarget::new(glib::Type::INVALID, gdk::DragAction::COPY);
    target.set_types(&[gdk::FileList::static_type(), gio::File::static_type()]);
    target.connect_enter({
        let highlight = highlight.clone();
        move |_, _, _| {
            highlight.set_visible(true);
            gdk::DragAction::COPY
        }
    });
    target.connect_leave({
        let highlight = highlight.clone();
        move |_| highlight.set_visible(false)
    });
    target.connect_drop({
        let (highlight, input) = (highlight.clone(), sender.input_sender().clone());
        move |_, value, _, _| {
            highlight.set_visible(false);
            let files = match value.get::<gdk::FileList>() {
                Ok(list) => list.files(),
                Err(_other) => value.get::<gio::File>().into_iter().collect(),
            };
            let paths: Vec<_> = files.iter().filter_map(gio::File::path).collect();
            let some = !paths.is_empty();
            if some {
                input.emit(AppInput::Files(paths));
            }
            some
        }
    });
    target
}
