//! The window without a core: what it shows in each state, as a screen reader would find it.

use super::*;
use crate::testing::{self, until, with_display};
use hv_api::{GuestPaths, GuestState, StateReason};
use std::cell::RefCell;
use std::os::unix::net::UnixListener;
use std::rc::Rc;

/// A guest whose name is markup, unless it is taken for what it is.
fn guest(state: GuestState, serial_ports: u32) -> GuestInfo {
    let serial_logs = (0..serial_ports).map(|port| format!("/log/serial{port}.log")).collect();
    let paths = GuestPaths { serial_logs, ..GuestPaths::default() };
    GuestInfo { serial_ports, paths, ..testing::guest("<b>test</b>", state) }
}

/// A window, and a core that takes connections and never answers.
struct Stage {
    console: Controller<ConsoleWindow>,
    guest: GuestInfo,
    heard: Rc<RefCell<Vec<ConsoleOutput>>>,
    _core: UnixListener,
    _folder: tempfile::TempDir,
}

impl Stage {
    fn new(guest: GuestInfo) -> Self {
        adw::init().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("core");
        let core = UnixListener::bind(&socket).unwrap();
        let daemon = Daemon::connect(socket, |_news| {}).unwrap();
        let outputs = Rc::new(RefCell::new(Vec::new()));
        let heard = Rc::clone(&outputs);
        let console = ConsoleWindow::builder()
            .launch(ConsoleInit { daemon, guest: guest.clone(), host: None, core_reachable: true })
            .connect_receiver(move |_, output| heard.borrow_mut().push(output));
        Self { console, guest, heard: outputs, _core: core, _folder: folder }
    }

    fn becomes(&mut self, state: GuestState, reason: Option<StateReason>) {
        self.guest.state = state;
        self.guest.reason = reason;
        self.console.emit(ConsoleInput::Guest(Box::new(self.guest.clone())));
    }

    /// All words that can be seen in the window.
    fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        collect(self.console.widget().upcast_ref(), &mut words);
        words
    }

    fn shows(&self, words: &str) {
        until(&format!("{words:?} is shown"), || self.words().iter().any(|shown| shown == words));
    }
}

fn collect(widget: &gtk::Widget, words: &mut Vec<String>) {
    if !widget.is_mapped() {
        return;
    }
    if let Some(label) = widget.downcast_ref::<gtk::Label>() {
        words.push(label.text().into());
    }
    let mut child = widget.first_child();
    while let Some(widget) = child {
        collect(&widget, words);
        child = widget.next_sibling();
    }
}

#[test]
fn each_state_has_its_words_and_what_can_be_done() {
    with_display(|| {
        let mut stage = Stage::new(guest(GuestState::Off, 1));
        stage.shows("Powered Off");
        stage.shows("<b>test</b>");
        assert!(stage.words().contains(&"Start".to_owned()));
        stage.becomes(GuestState::Starting, None);
        stage.shows("Starting…");
        stage.becomes(GuestState::Running, None);
        stage.shows("Waiting for the Picture…");
        stage.becomes(GuestState::Paused, None);
        stage.shows("Resume");
        stage.becomes(GuestState::Saving, None);
        stage.shows("Saving…");
        let job = JobInfo {
            id: hv_api::JobId(1),
            kind: hv_api::JobKind::Save,
            guest: stage.guest.id,
            guest_name: stage.guest.name.clone(),
            state: JobState::Running,
            stage: hv_api::JobStage::Saving,
            progress: 0.6,
            done: None,
            total: None,
        };
        stage.console.emit(ConsoleInput::Job(Box::new(job)));
        stage.shows("Saving… 60 %");
        assert!(stage.words().contains(&"Cancel".to_owned()));
        stage.becomes(GuestState::Saved, None);
        stage.shows("Resume");
        assert!(stage.words().contains(&"Discard Saved State…".to_owned()));
        stage.becomes(GuestState::Crashed, Some(StateReason::EngineDied));
        stage.shows("Start Again");
        assert!(stage.words().contains(&"Show Log".to_owned()));
        stage.becomes(GuestState::Off, Some(StateReason::ForcedOff));
        stage.shows("Forced Off");
        stage.console.emit(ConsoleInput::LinkLost);
        stage.shows("Start Core");
        stage.console.emit(ConsoleInput::LinkUp);
        stage.shows("Forced Off");
    });
}

#[test]
fn the_serial_port_is_offered_only_where_there_is_one() {
    with_display(|| {
        let mut stage = Stage::new(guest(GuestState::Off, 0));
        stage.shows("Powered Off");
        assert!(!stage.words().contains(&"Serial".to_owned()));
        stage.console.emit(ConsoleInput::Chord(Chord::Serial));
        stage.guest.paths = guest(GuestState::Off, 1).paths;
        stage.becomes(GuestState::Off, None);
        stage.shows("Serial");
        assert!(stage.words().contains(&"Powered Off".to_owned()), "the chord did nothing");
        stage.console.emit(ConsoleInput::Chord(Chord::Serial));
        stage.shows("Nothing Yet");
        stage.console.emit(ConsoleInput::Chord(Chord::Display));
        stage.shows("Powered Off");
    });
}

#[test]
fn one_of_several_serial_ports_is_chosen() {
    with_display(|| {
        let mut stage = Stage::new(guest(GuestState::Off, 3));
        stage.console.emit(ConsoleInput::Chord(Chord::Serial));
        stage.shows("Port 1 (ttyS0)");
        stage.console.emit(ConsoleInput::SerialPort(2));
        stage.shows("Port 3 (ttyS2)");
        stage.shows("console=ttyS2");
        // The next machine has less of them.
        stage.guest.paths = guest(GuestState::Off, 2).paths;
        stage.becomes(GuestState::Off, None);
        stage.shows("Port 1 (ttyS0)");
        stage.guest.paths = guest(GuestState::Off, 1).paths;
        stage.becomes(GuestState::Off, None);
        until("no choice", || !stage.words().contains(&"Port 1 (ttyS0)".to_owned()));
        stage.shows("Nothing Yet");
    });
}

#[test]
fn details_come_beside_the_picture_and_say_what_is_wished() {
    with_display(|| {
        let mut stage = Stage::new(guest(GuestState::Running, 1));
        stage.shows("Waiting for the Picture…");
        assert!(!stage.words().contains(&"Processor & Memory".to_owned()));
        stage.console.emit(ConsoleInput::Chord(Chord::Details));
        stage.shows("Processor & Memory");
        stage.shows("Disks & Drives");
        let heard = Rc::clone(&stage.heard);
        press(stage.console.widget().upcast_ref(), "Take Snapshot…");
        let asks = |output: &ConsoleOutput| {
            matches!(output, ConsoleOutput::Wish(_, GuestWish::Ask(crate::pages::guest::Question::Take)))
        };
        until("the question is asked", || heard.borrow().iter().any(asks));
        // What is refused is said at its row, also where the details were hidden.
        stage.console.emit(ConsoleInput::Chord(Chord::Details));
        until("hidden", || !stage.words().contains(&"Disks & Drives".to_owned()));
        let wish = Wish::Nic(calls::NicWish::Add(hv_api::NewNic::default()));
        let problem = Problem::from(&hv_api::Error::GuestNotFound { guest: "x".into() });
        stage.console.emit(ConsoleInput::Refused(Box::new(wish), problem.clone()));
        let reason = [&problem.what, &problem.why, &problem.remedy].map(String::as_str).join(" ");
        stage.shows(&reason);
        // They stay while the guest changes.
        stage.becomes(GuestState::Off, None);
        stage.shows("Powered Off");
        stage.shows("Disks & Drives");
    });
}

/// Presses the button that says this.
fn press(widget: &gtk::Widget, words: &str) {
    let mut found = Vec::new();
    let mut next = vec![widget.clone()];
    while let Some(widget) = next.pop() {
        if let Some(button) = widget.downcast_ref::<gtk::Button>()
            && button.label().as_deref() == Some(words)
        {
            found.push(button.clone());
        }
        next.extend(std::iter::successors(widget.first_child(), gtk::Widget::next_sibling));
    }
    let [button] = &found[..] else { panic!("{} buttons say {words:?}", found.len()) };
    button.emit_clicked();
}

#[test]
fn closing_the_window_is_said_once() {
    with_display(|| {
        let stage = Stage::new(guest(GuestState::Off, 1));
        stage.shows("Powered Off");
        stage.console.widget().close();
        until("it is said", || !stage.heard.borrow().is_empty());
        let heard = stage.heard.borrow();
        assert!(matches!(heard[..], [ConsoleOutput::Closed(id)] if id == stage.guest.id), "{heard:?}");
    });
}

#[test]
fn the_window_fits_a_narrow_screen_and_leaves_f10_to_the_guest() {
    with_display(|| {
        let stage = Stage::new(guest(GuestState::Crashed, 1));
        stage.shows("Start Again");
        let window = stage.console.widget();
        assert!(!window.is_handle_menubar_accel());
        let (least, _, _, _) = window.measure(gtk::Orientation::Horizontal, -1);
        assert!(least <= 360, "the window needs {least}");
    });
}
