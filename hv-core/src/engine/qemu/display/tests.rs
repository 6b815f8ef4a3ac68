//! The display against a QEMU that the test plays, which also says what QEMU would not.

use super::*;
use hv_api::display::Button;
use std::sync::Mutex;
use zbus::zvariant::OwnedFd as ReceivedFd;
use zbus::{Guid, interface};

/// A canvas that forgets.
pub(super) struct Ignoring;

impl Canvas for Ignoring {
    fn picture(&mut self, _: u32, _: u32, _: u32, _: &[u8]) {}
    fn update(&mut self, _: Rect, _: u32, _: &[u8]) {}
    fn cursor(&mut self, _: u32, _: u32, _: (u32, u32), _: &[u8]) {}
    fn cursor_visible(&mut self, _: bool) {}
    fn pointer_absolute(&mut self, _: bool) {}
    fn lights(&mut self, _: bool, _: bool, _: bool) {}
    fn closed(&mut self) {}
}

/// A canvas that writes down what is drawn, and when it is dropped.
#[derive(Default, Clone)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    fn push(&self, note: String) {
        self.0.lock().unwrap().push(note);
    }

    async fn wait(&self, count: usize) -> Vec<String> {
        let arrived = async {
            while self.0.lock().unwrap().len() < count {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), arrived).await.unwrap();
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

struct Recorder(Notes);

impl Canvas for Recorder {
    fn picture(&mut self, width: u32, height: u32, stride: u32, pixels: &[u8]) {
        self.0.push(format!("picture {width} {height} {stride} {pixels:?}"));
    }
    fn update(&mut self, part: Rect, stride: u32, pixels: &[u8]) {
        let Rect { x, y, width, height } = part;
        self.0.push(format!("update {x} {y} {width} {height} {stride} {pixels:?}"));
    }
    fn cursor(&mut self, width: u32, height: u32, hot: (u32, u32), pixels: &[u8]) {
        self.0.push(format!("cursor {width} {height} {hot:?} {pixels:?}"));
    }
    fn cursor_visible(&mut self, visible: bool) {
        self.0.push(format!("visible {visible}"));
    }
    fn pointer_absolute(&mut self, absolute: bool) {
        self.0.push(format!("absolute {absolute}"));
    }
    fn lights(&mut self, caps: bool, num: bool, scroll: bool) {
        self.0.push(format!("lights {caps} {num} {scroll}"));
    }
    fn closed(&mut self) {
        self.0.push("closed".to_owned());
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.0.push("dropped".to_owned());
    }
}

/// What the test's QEMU has been told.
#[derive(Default, Clone)]
struct Heard {
    calls: Notes,
    listener: Arc<Mutex<Option<OwnedFd>>>,
}

struct FakeConsole(Heard, bool);
struct FakeKeyboard(Heard, u32);
struct FakeMouse(Heard, bool);

#[interface(name = "org.qemu.Display1.Console")]
impl FakeConsole {
    fn register_listener(&self, listener: ReceivedFd) -> zbus::fdo::Result<()> {
        *self.0.listener.lock().unwrap() = Some(listener.into());
        if self.1 { Err(zbus::fdo::Error::Failed("no such console".to_owned())) } else { Ok(()) }
    }
}

#[interface(name = "org.qemu.Display1.Keyboard")]
impl FakeKeyboard {
    fn press(&self, key: u32) {
        self.0.calls.push(format!("press {key}"));
    }
    fn release(&self, key: u32) {
        self.0.calls.push(format!("release {key}"));
    }
    #[zbus(property)]
    fn modifiers(&self) -> u32 {
        self.1
    }
}

#[interface(name = "org.qemu.Display1.Mouse")]
impl FakeMouse {
    fn press(&self, button: u32) {
        self.0.calls.push(format!("button {button}"));
    }
    fn release(&self, button: u32) {
        self.0.calls.push(format!("no button {button}"));
    }
    #[zbus(property)]
    fn is_absolute(&self) -> bool {
        self.1
    }
}

/// A QEMU's end of the control connection. `refuses` listeners or takes them.
async fn console(socket: UnixStream, heard: &Heard, refuses: bool) -> Connection {
    Builder::socket(socket)
        .server(Guid::generate())
        .unwrap()
        .p2p()
        .serve_at(CONSOLE, FakeConsole(heard.clone(), refuses))
        .unwrap()
        .serve_at(CONSOLE, FakeKeyboard(heard.clone(), 6))
        .unwrap()
        .serve_at(CONSOLE, FakeMouse(heard.clone(), true))
        .unwrap()
        .build()
        .await
        .unwrap()
}

/// A QEMU's end of the listener's connection, once the listener is known.
async fn greet(heard: &Heard) -> Connection {
    let fd = loop {
        if let Some(fd) = heard.listener.lock().unwrap().take() {
            break fd;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    };
    let stream = std::os::unix::net::UnixStream::from(fd);
    stream.set_nonblocking(true).unwrap();
    let stream = UnixStream::from_std(stream).unwrap();
    Builder::socket(stream).server(Guid::generate()).unwrap().p2p().build().await.unwrap()
}

/// An open display: our end, what QEMU has heard, what was drawn, and QEMU's two connections.
async fn open_fake() -> (Sender, Heard, Notes, Connection, Connection) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (heard, notes) = (Heard::default(), Notes::default());
    let (sender, control, listener) = tokio::join!(
        attach(ours, |code| Some(code + 100), Box::new(Recorder(notes.clone()))),
        console(theirs, &heard, false),
        greet(&heard)
    );
    (sender.unwrap(), heard, notes, control, listener)
}

async fn draw_call<B: serde::Serialize + DynamicType>(
    listener: &Connection,
    method: &str,
    body: &B,
) -> zbus::Result<Message> {
    let path = "/org/qemu/Display1/Listener";
    listener.call_method(None::<BusName<'_>>, path, Some(LISTENER_INTERFACE), method, body).await
}

const FORMAT: u32 = FORMATS[0];

#[tokio::test]
async fn what_qemu_draws_is_drawn() {
    let (_sender, _heard, notes, _control, listener) = open_fake().await;
    assert_eq!(notes.wait(2).await, ["absolute true", "lights true true false"]);
    let pixels: &[u8] = &[1, 2, 3, 4];
    draw_call(&listener, "Scanout", &(1_u32, 1_u32, 4_u32, FORMAT, pixels)).await.unwrap();
    draw_call(&listener, "Update", &(0, 0, 1, 1, 4_u32, FORMAT, pixels)).await.unwrap();
    draw_call(&listener, "CursorDefine", &(1, 1, -1, 0, pixels)).await.unwrap();
    draw_call(&listener, "MouseSet", &(5, 5, 1)).await.unwrap();
    draw_call(&listener, "Disable", &()).await.unwrap();
    assert_eq!(
        notes.wait(4).await,
        [
            "picture 1 1 4 [1, 2, 3, 4]",
            "update 0 0 1 1 4 [1, 2, 3, 4]",
            "cursor 1 1 (0, 0) [1, 2, 3, 4]",
            "visible true"
        ]
    );
    let properties = listener
        .call_method(
            None::<BusName<'_>>,
            "/org/qemu/Display1/Listener",
            Some(PROPERTIES_INTERFACE),
            "GetAll",
            &(LISTENER_INTERFACE,),
        )
        .await
        .unwrap();
    assert!(properties.body().deserialize::<Properties<'_>>().unwrap().is_empty());
    drop(listener);
    assert_eq!(notes.wait(2).await, ["closed", "dropped"]);
}

/// QEMU's signal that its console has another size.
async fn tell_size(control: &Connection, width: u32, height: u32) {
    let size = HashMap::from([("Width", Value::U32(width)), ("Height", Value::U32(height))]);
    let body = (CONSOLE_INTERFACE, size, Vec::<&str>::new());
    let nobody = None::<BusName<'_>>;
    control.emit_signal(nobody, CONSOLE, PROPERTIES_INTERFACE, "PropertiesChanged", &body).await.unwrap();
}

#[tokio::test]
async fn a_size_that_is_told_before_or_after_the_old_picture_brings_the_whole_new_one() {
    for told_first in [true, false] {
        let (_sender, heard, notes, control, listener) = open_fake().await;
        notes.wait(2).await;
        if told_first {
            tell_size(&control, 2, 1).await;
        }
        draw_call(&listener, "Scanout", &(1_u32, 1_u32, 4_u32, FORMAT, [1_u8; 4].as_slice())).await.unwrap();
        assert_eq!(notes.wait(1).await, ["picture 1 1 4 [1, 1, 1, 1]"]);
        if !told_first {
            tell_size(&control, 2, 1).await;
        }
        // The old listener is seen off and a new one given; its first picture is the whole.
        let renewed = greet(&heard).await;
        draw_call(&renewed, "Scanout", &(2_u32, 1_u32, 8_u32, FORMAT, [2_u8; 8].as_slice())).await.unwrap();
        assert_eq!(notes.wait(1).await, ["picture 2 1 8 [2, 2, 2, 2, 2, 2, 2, 2]"], "{told_first}");
    }
}

#[tokio::test]
async fn what_qemu_should_not_say_is_refused_and_harmless() {
    let (_sender, _heard, notes, control, listener) = open_fake().await;
    notes.wait(2).await;
    let pixels: &[u8] = &[1; 4];
    draw_call(&listener, "Scanout", &(1_u32, 1_u32, 4_u32, 0_u32, pixels)).await.unwrap();
    draw_call(&listener, "Update", &(-1, 0, 1, 1, 4_u32, FORMAT, pixels)).await.unwrap();
    draw_call(&listener, "CursorDefine", &(1, -1, 0, 0, pixels)).await.unwrap();
    draw_call(&listener, "Scanout", &("what", 1_u32)).await.unwrap_err();
    draw_call(&listener, "UpdateDMABUF", &(0, 0, 1, 1)).await.unwrap_err();
    draw_call(&listener, "Nonsense", &()).await.unwrap_err();
    for body in [Value::from(5_u8), Value::from("IsAbsolute")] {
        let changed = (MOUSE_INTERFACE, HashMap::from([("IsAbsolute", body)]), Vec::<&str>::new());
        let none = None::<BusName<'_>>;
        control
            .emit_signal(none, CONSOLE, PROPERTIES_INTERFACE, "PropertiesChanged", &changed)
            .await
            .unwrap();
    }
    let none = None::<BusName<'_>>;
    control.emit_signal(none, CONSOLE, PROPERTIES_INTERFACE, "PropertiesChanged", &(1, 2)).await.unwrap();
    let changed = (MOUSE_INTERFACE, HashMap::from([("IsAbsolute", Value::from(false))]), Vec::<&str>::new());
    let none = None::<BusName<'_>>;
    control.emit_signal(none, CONSOLE, PROPERTIES_INTERFACE, "PropertiesChanged", &changed).await.unwrap();
    assert_eq!(notes.wait(1).await, ["absolute false"]);
    drop(control);
    assert_eq!(notes.wait(2).await, ["closed", "dropped"]);
}

#[tokio::test]
async fn keys_arrive_in_order_and_are_let_go_at_the_end() {
    let (sender, heard, notes, control, listener) = open_fake().await;
    notes.wait(2).await;
    sender.key(1, true);
    sender.key(1, true);
    sender.button(Button::Extra, true);
    drop(sender);
    let mut told = heard.calls.wait(5).await;
    // The test's QEMU does not keep the order; ours is tested with the queue.
    told.sort();
    assert_eq!(told, ["button 6", "no button 6", "press 101", "press 101", "release 101"]);
    assert_eq!(notes.wait(1).await, ["dropped"], "who leaves by himself is not told");
    let both_closed = async { tokio::join!(control.closed(), listener.closed()) };
    tokio::time::timeout(Duration::from_secs(20), both_closed).await.unwrap();
}

#[tokio::test]
async fn a_listener_that_is_refused_is_closed() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let heard = Heard::default();
    let (opened, control) =
        tokio::join!(attach(ours, |_| None, Box::new(Ignoring)), console(theirs, &heard, true));
    assert!(matches!(opened, Err(EngineError::Refused { detail }) if detail.contains("no such console")));
    tokio::time::timeout(Duration::from_secs(20), control.closed()).await.unwrap();
    // QEMU reads an end instead of waiting for a greeting.
    let listener = std::os::unix::net::UnixStream::from(heard.listener.lock().unwrap().take().unwrap());
    listener.set_nonblocking(true).unwrap();
    let mut listener = UnixStream::from_std(listener).unwrap();
    let mut said = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut listener, &mut said);
    tokio::time::timeout(Duration::from_secs(20), read).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_qemu_that_hangs_up_is_gone() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(theirs);
    let opened = attach(ours, |_| None, Box::new(Ignoring)).await;
    assert!(matches!(opened, Err(EngineError::Gone | EngineError::Refused { .. })), "{opened:?}");
}
