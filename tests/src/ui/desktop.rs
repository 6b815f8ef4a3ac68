//! A screen, a session bus and the bus of assistive technology.

use super::bus::{self, Id, Role, States};
use super::{LOOK, Node, Place, Rect};
use crate::{Home, PATIENCE, program, skip};
use futures_util::FutureExt;
use std::ffi::OsStr;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// What a desktop is made of.
const PROGRAMS: [&str; 4] = ["Xvfb", "dbus-daemon", "xdotool", "import"];

/// The screen's size in pixels.
const SIZE: (i32, i32) = (1600, 1200);

/// A desktop.
#[derive(Debug)]
pub struct Desktop {
    /// Nothing where the desktop is one that was there already.
    home: Option<Home>,
    environment: Vec<(&'static str, String)>,
    bus: zbus::Connection,
    size: (i32, i32),
    /// Screen and bus, which end with the home.
    _services: Vec<Child>,
    /// What was opened here, which stays until the desktop goes.
    opened: std::sync::Mutex<Vec<Child>>,
}

/// Runs a test on a desktop of its own; where a program for that is missing it is skipped, aloud. When it
/// fails, a picture of the screen and what is on it are put into `folder`, and their paths are printed.
///
/// # Panics
/// Where the test does.
pub async fn on_desktop(folder: &Path, name: &str, test: impl AsyncFnOnce(&Desktop)) {
    if let Some(missing) = Desktop::missing() {
        return skip(&format!("{name}: {missing} is not installed"));
    }
    let desktop = Desktop::new().await;
    if let Err(panic) = AssertUnwindSafe(test(&desktop)).catch_unwind().await {
        desktop.testify(&folder.join(name)).await;
        std::panic::resume_unwind(panic);
    }
}

impl Desktop {
    /// The program that is missing for a desktop of one's own.
    pub fn missing() -> Option<&'static str> {
        let search = std::env::var_os("PATH").unwrap_or_default();
        let installed = |name: &str| std::env::split_paths(&search).any(|folder| folder.join(name).is_file());
        PROGRAMS.into_iter().find(|name| !installed(name))
    }

    /// A new one, with a home of its own.
    ///
    /// # Panics
    /// Where a program for it is missing.
    pub async fn new() -> Self {
        let home = Home::new();
        let folder = home.path("config").join("gtk-4.0");
        std::fs::create_dir(&folder).expect("a folder");
        // What moves is found too early or too late.
        std::fs::write(folder.join("settings.ini"), "[Settings]\ngtk-enable-animations=false\n")
            .expect("a file");

        let size = format!("{}x{}x24", SIZE.0, SIZE.1);
        let pixels = home.path("screen");
        std::fs::create_dir(&pixels).expect("a folder");
        let mut screen = home.command("Xvfb");
        screen.args(["-displayfd", "1", "-noreset", "-nolisten", "tcp", "-screen", "0", &size, "-fbdir"]);
        screen.arg(&pixels);
        let (screen, number) = first_line(screen).await;
        let display = ("DISPLAY", format!(":{number}"));
        let mut environment = vec![
            display,
            ("GDK_BACKEND", "x11".into()),
            // There is no graphics card to draw for.
            ("GSK_RENDERER", "cairo".into()),
            ("GDK_DEBUG", "gl-disable".into()),
            ("GDK_DISABLE", "gl,vulkan".into()),
            ("GSETTINGS_BACKEND", "memory".into()),
            ("ADW_DISABLE_PORTAL", "1".into()),
        ];
        let mut service = home.command("dbus-daemon");
        service.args(["--session", "--nofork", "--print-address"]);
        service.envs(environment.iter().map(|(key, value)| (key, value)));
        let (service, address) = first_line(service).await;
        environment.push(("DBUS_SESSION_BUS_ADDRESS", address.clone()));
        let bus = bus::connect(&address).await;
        Self {
            home: Some(home),
            environment,
            bus,
            size: SIZE,
            _services: vec![screen, service],
            opened: std::sync::Mutex::default(),
        }
    }

    /// The desktop that this program runs on, in the home of whoever started it.
    ///
    /// # Panics
    /// Where there is none, or it knows nothing of assistive technology.
    pub async fn present() -> Self {
        let address = std::env::var("DBUS_SESSION_BUS_ADDRESS").expect("a session bus");
        let bus = bus::connect(&address).await;
        let environment = vec![("ADW_DISABLE_PORTAL", "1".into()), ("GSETTINGS_BACKEND", "memory".into())];
        let opened = std::sync::Mutex::default();
        let mut this = Self { home: None, environment, bus, size: (0, 0), _services: Vec::new(), opened };
        let said = this.xdotool(&["getdisplaygeometry"]).await.expect("a screen");
        let (width, height) = said.split_once(' ').expect("its size");
        this.size = (width.parse().expect("a number"), height.parse().expect("a number"));
        this
    }

    /// Gives every program that is opened from here on this variable.
    pub fn set(&mut self, variable: &'static str, value: &str) {
        self.environment.push((variable, value.to_owned()));
    }

    /// The home of a desktop of one's own.
    ///
    /// # Panics
    /// Where the desktop is another's.
    pub fn home(&self) -> &Home {
        self.home.as_ref().expect("a desktop of one's own")
    }

    /// What is on the screen at this moment, as its memory has it: to see whether anything changes, without
    /// taking a processor from what changes it.
    ///
    /// # Panics
    /// Where the desktop is another's.
    pub fn pixels(&self) -> Vec<u8> {
        std::fs::read(self.home().path("screen").join("Xvfb_screen0")).expect("the screen's memory")
    }

    /// The screen's size in pixels.
    pub const fn size(&self) -> (i32, i32) {
        self.size
    }

    pub(super) const fn bus(&self) -> &zbus::Connection {
        &self.bus
    }

    /// A program, to be started on this desktop.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = match &self.home {
            Some(home) => home.command(program),
            None => Command::new(program),
        };
        command.envs(self.environment.iter().map(|(key, value)| (key, value)));
        command
    }

    /// Opens the window. Returns the number of its process.
    ///
    /// # Panics
    /// Where the program can't be run.
    pub fn open<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> u32 {
        let mut command = self.command(program("guesthouse"));
        let child = command.args(arguments).spawn().expect("guesthouse runs");
        let number = child.id().expect("it has not been waited for");
        self.opened.lock().expect("nobody panicked here").push(child);
        number
    }

    /// Runs `hv`, which succeeds, and returns the JSON objects that it prints.
    pub async fn hv(&self, words: &[&str]) -> Vec<serde_json::Value> {
        let mut command = self.command(program("hv"));
        let run = command.arg("--json").args(words).stdin(Stdio::null()).output();
        let output = self.patience("hv to end", run).await.expect("hv runs");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "hv {words:?}: {out} {err}");
        out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// The state of a guest as `hv` says it.
    pub async fn state(&self, guest: &str) -> String {
        let shown = self.hv(&["show", guest]).await;
        shown[0]["state"].as_str().expect("a state").to_owned()
    }

    /// The window with this title.
    pub const fn window<'a>(&'a self, title: &'a str) -> Place<'a> {
        Place::new(self, Some(title))
    }

    /// All windows.
    pub const fn anywhere(&self) -> Place<'_> {
        Place::new(self, None)
    }

    /// All programs with their windows.
    pub(super) async fn tree(&self) -> Node {
        let read = Node::read_all(&self.bus).await;
        read.unwrap_or_else(|| Node {
            id: Id::root(),
            role: Role::Panel,
            name: String::new(),
            description: String::new(),
            states: States::default(),
            area: Rect::default(),
            children: Vec::new(),
        })
    }

    /// Waits for something that is to come.
    ///
    /// # Panics
    /// When that takes too long, with `what`.
    pub async fn patience<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        let waited = tokio::time::timeout(PATIENCE, work).await;
        waited.unwrap_or_else(|_late| panic!("waited {} s in vain for {what}", PATIENCE.as_secs()))
    }

    /// Looks until there is something.
    ///
    /// # Panics
    /// When that takes too long, with `what`.
    pub async fn until<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(begun.elapsed() < PATIENCE, "waited {} s in vain for {what}", PATIENCE.as_secs());
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Leaves a picture of the screen and what is on it beside `path`, and prints where.
    #[expect(clippy::print_stderr, reason = "whoever runs tests reads it beside the failure")]
    async fn testify(&self, path: &Path) {
        let (picture, text) = (path.with_extension("png"), path.with_extension("txt"));
        if let Some(folder) = path.parent() {
            // What can't be written is missed by whoever looks for it.
            let _made = std::fs::create_dir_all(folder);
        }
        let _written = std::fs::write(&text, self.tree().await.to_text());
        let status = self.command("import").args(["-silent", "-window", "root"]).arg(&picture).status().await;
        if status.is_ok_and(|status| status.success()) {
            eprintln!("the screen: {}", picture.display());
        }
        eprintln!("what was on it: {}", text.display());
    }
}

/// Starts a service and waits for the line in which it says how it is reached.
async fn first_line(mut command: Command) -> (Child, String) {
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut output = BufReader::new(child.stdout.take().expect("its output"));
    let mut line = String::new();
    crate::within("a service's first line", output.read_line(&mut line)).await.expect("its output");
    assert!(!line.is_empty(), "{command:?} ended without a word");
    // Closed, its output would end it with the next word.
    tokio::spawn(async move { tokio::io::copy(&mut output, &mut tokio::io::sink()).await });
    (child, line.trim().to_owned())
}
