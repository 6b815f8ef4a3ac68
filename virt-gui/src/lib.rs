//! The windows of Guesthouse: the library, the console, and how they follow the core.
//!
//! [`run`] is the application. It holds no guest: everything it shows comes from the core's event
//! stream, everything it wants is a call to the core, and closing it changes no guest.

pub mod actions;
mod app;
mod calls;
pub mod console;
pub mod model;
mod pages;
mod renderer;
#[cfg(test)]
mod testing;
pub mod widgets;

use adw::prelude::*;
use app::{App, AppInput};
use gtk::gio;
use relm4::{MessageBroker, RelmApp};
use tracing_subscriber::EnvFilter;

/// The application's name on the session bus, in menus and for its icon.
pub const APP_ID: &str = "dev.guesthouse.Guesthouse";

/// Takes messages that come from outside of the window: files opened and second launches.
static OUTSIDE: MessageBroker<AppInput> = MessageBroker::new();

/// Runs the application until its last window is closed. A second launch hands its files to the first;
/// without a session bus each launch is the first.
pub fn run() -> std::io::Result<()> {
    renderer::choose();
    virt_kit::i18n::init();
    let filter = EnvFilter::try_from_env("GUESTHOUSE_LOG").unwrap_or_else(|_unset| EnvFilter::new("warn"));
    // Its spans write every message of the window, with all guests in it, before each line.
    let filter = match "relm4=warn".parse() {
        Ok(quiet) => filter.add_directive(quiet),
        Err(_not_a_directive) => filter,
    };
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(running) = running_instance() {
        running.run_with_args(&arguments);
        return Ok(());
    }
    gio::resources_register_include!("guesthouse.gresource").map_err(std::io::Error::other)?;

    let application = adw::Application::builder()
        .application_id(APP_ID)
        .resource_base_path("/dev/guesthouse/Guesthouse")
        .flags(gio::ApplicationFlags::HANDLES_OPEN)
        .build();
    application.connect_startup(actions::bind_keys);
    app::connect_notices(&application, &OUTSIDE);
    application.connect_activate(|_| OUTSIDE.send(AppInput::Present));
    application.connect_open(|_, files, _| {
        OUTSIDE.send(AppInput::Present);
        OUTSIDE.send(AppInput::Files(files.iter().filter_map(gio::File::path).collect()));
    });
    RelmApp::from_app(application)
        .with_broker(&OUTSIDE)
        .with_args(arguments)
        .visible_on_activate(false)
        .run::<App>(hv_api::paths::socket());
    Ok(())
}

/// The instance that runs already, where there is one: whatever is asked of it is done there.
///
/// It is looked for by itself, as `RelmApp` waits at its end for events that only the first one has.
fn running_instance() -> Option<gio::Application> {
    let flags = gio::ApplicationFlags::HANDLES_OPEN | gio::ApplicationFlags::IS_LAUNCHER;
    let launcher = gio::Application::new(Some(APP_ID), flags);
    launcher.register(gio::Cancellable::NONE).is_ok().then_some(launcher)
}
