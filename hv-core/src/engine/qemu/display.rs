//! QEMU's D-Bus display, drawn on a canvas of ours.
//!
//! QEMU is spoken to over two private connections without a bus: on the one, keys and pointer go to its
//! console; on the other it calls us with pictures. Messages are read in their order and the pixels
//! straight from the received message, which neither zbus' proxies (they keep copies of properties) nor
//! its object server (it runs calls side by side) would do.
//!
//! QEMU 7.2 has no flow control here and stands still while a listener has not been greeted. So this
//! always reads, whatever becomes of the pictures, and on every way out both sockets are closed.
//! It also sends no picture when the size changes but only parts of it are drawn, as text consoles do;
//! then the listener is replaced, and a new one is always sent the whole. It knows all listeners of ours
//! by the same name, so that the end of an old one, noticed late, would end the new one: an old one is
//! always seen off first.

mod input;

use super::qmp;
use crate::engine::{Canvas, DisplayInput, EngineError};
use futures_util::StreamExt;
use hv_api::display::Rect;
use input::{Input, Queue, Sender, Switch};
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;
use zbus::connection::Builder;
use zbus::message::{Flags, Type};
use zbus::names::BusName;
use zbus::zvariant::{DynamicType, Fd, Value};
use zbus::{Connection, Message, MessageStream};

/// The first console. Machines of ours have one graphics card.
const CONSOLE: &str = "/org/qemu/Display1/Console_0";
const CONSOLE_INTERFACE: &str = "org.qemu.Display1.Console";
const KEYBOARD_INTERFACE: &str = "org.qemu.Display1.Keyboard";
const MOUSE_INTERFACE: &str = "org.qemu.Display1.Mouse";
const LISTENER_INTERFACE: &str = "org.qemu.Display1.Listener";
const PROPERTIES_INTERFACE: &str = "org.freedesktop.DBus.Properties";

/// The formats of pixels that are 32 bits of blue, green, red and one more: x8r8g8b8 and a8r8g8b8.
const FORMATS: [u32; 2] = [0x2002_0888, 0x2002_8888];

/// How long QEMU may take to open a display, and to take one answer.
const OPENING_TIME: Duration = Duration::from_secs(10);

/// How long QEMU may take to take the last keys, and to let go of a listener.
const CLOSING_TIME: Duration = Duration::from_secs(1);

/// How long after a change of size a picture may come by itself.
const SETTLING_TIME: Duration = Duration::from_millis(100);

/// How many messages may wait here to be drawn. Each can be a whole picture; more wait at QEMU.
const MESSAGE_QUEUE: usize = 2;

/// How many answers and changes may wait here to be looked at.
const CONTROL_QUEUE: usize = 16;

/// Opens the display of the QEMU behind `qmp` and draws it into `canvas` until what is returned is
/// dropped. Has to be called within the runtime that then does the drawing.
///
/// # Errors
/// `Refused` with QEMU's words, `Silent`, `Gone`.
pub async fn open(
    qmp: Arc<qmp::Client>,
    canvas: Box<dyn Canvas>,
) -> Result<Box<dyn DisplayInput>, EngineError> {
    let (ours, theirs) = UnixStream::pair().map_err(|error| no_socket(&error))?;
    qmp.add_display_client(OwnedFd::from(theirs.into_std().map_err(|error| no_socket(&error))?)).await?;
    Ok(Box::new(attach(ours, super::keys::qnum, canvas).await?))
}

/// Opens the display at the other end of `socket`.
async fn attach(
    socket: UnixStream,
    qnum: fn(u16) -> Option<u16>,
    canvas: Box<dyn Canvas>,
) -> Result<Sender, EngineError> {
    let opening = async {
        let control = Builder::socket(socket)
            .p2p()
            .max_queued(CONTROL_QUEUE)
            .build_message_stream()
            .await
            .map_err(|error| failed(&error))?;
        let listener = listen(&Connection::from(&control)).await?;
        Ok((control, listener))
    };
    let (control, listener) = within_opening_time(opening).await?;
    let (sender, queue) = Sender::new(qnum);
    tokio::spawn(session(control, listener, queue, canvas));
    Ok(sender)
}

async fn within_opening_time<T>(
    opening: impl Future<Output = Result<T, EngineError>>,
) -> Result<T, EngineError> {
    tokio::time::timeout(OPENING_TIME, opening)
        .await
        .unwrap_or(Err(EngineError::Silent { seconds: OPENING_TIME.as_secs() as u32 }))
}

/// Gives QEMU's console a listener. QEMU greets it while it does nothing else, so both ends of this are
/// worked on at once; where one fails, the other is dropped and with it the socket.
async fn listen(control: &Connection) -> Result<MessageStream, EngineError> {
    let (ours, theirs) = UnixStream::pair().map_err(|error| no_socket(&error))?;
    let theirs = OwnedFd::from(theirs.into_std().map_err(|error| no_socket(&error))?);
    let register = async {
        let body = (Fd::from(theirs),);
        let interface = Some(CONSOLE_INTERFACE);
        control.call_method(None::<BusName<'_>>, CONSOLE, interface, "RegisterListener", &body).await
    };
    let greet = Builder::socket(ours).p2p().max_queued(MESSAGE_QUEUE).build_message_stream();
    let (_registered, listener) = tokio::try_join!(register, greet).map_err(|error| failed(&error))?;
    Ok(listener)
}

fn no_socket(error: &std::io::Error) -> EngineError {
    EngineError::Refused { detail: format!("no socket for the display: {error}") }
}

fn failed(error: &zbus::Error) -> EngineError {
    match error {
        zbus::Error::InputOutput(_) => EngineError::Gone,
        _ => EngineError::Refused { detail: error.to_string() },
    }
}

/// Draws and presses until either end has had enough.
async fn session(
    mut control: MessageStream,
    mut listener: MessageStream,
    queue: Arc<Queue>,
    mut canvas: Box<dyn Canvas>,
) {
    let console = Connection::from(&control);
    let mut sizes = Sizes::default();
    let mut renewal = None;
    let questions = match Questions::new() {
        Ok(questions) => questions,
        Err(error) => {
            tracing::error!(%error, "the display can't be asked");
            return canvas.closed();
        }
    };
    let mut pressing = std::pin::pin!(press(&console, &questions, &queue));
    let mut leaving = std::pin::pin!(async {
        queue.closed().await;
        tokio::time::sleep(CLOSING_TIME).await;
    });
    let ended = loop {
        tokio::select! {
            message = listener.next() => match message {
                Some(Ok(message)) => {
                    let answer = hear(&message, canvas.as_mut(), &mut sizes);
                    if let Err(error) = reply(&listener, &message, answer).await {
                        tracing::debug!(%error, "the engine takes no answer");
                        break true;
                    }
                }
                Some(Err(_)) | None => break true,
            },
            message = control.next() => match message {
                Some(Ok(message)) => {
                    questions.hear(&message, canvas.as_mut(), &mut sizes);
                }
                Some(Err(_)) | None => break true,
            },
            () = async { if let Some(settled) = &mut renewal { settled.await } }, if renewal.is_some() => {
                renewal = None;
                if sizes.are_different() {
                    see_off(listener).await;
                    match within_opening_time(listen(&console)).await {
                        Ok(renewed) => listener = renewed,
                        Err(error) => {
                            tracing::warn!(%error, "the engine does not show its picture any more");
                            return canvas.closed();
                        }
                    }
                }
            },
            told = &mut pressing => break told.is_err(),
            () = &mut leaving => {
                tracing::warn!("the engine does not take the last keys");
                break false;
            }
        }
        // The two connections are not in step: the new size may be told before the old one is drawn.
        if sizes.are_different() {
            renewal.get_or_insert_with(|| Box::pin(tokio::time::sleep(SETTLING_TIME)));
        }
    };
    if ended {
        canvas.closed();
    }
    see_off(listener).await;
}

/// Closes a listener and waits until QEMU has let go of it: only then does it close its end.
async fn see_off(mut listener: MessageStream) {
    let seen_off = async {
        // Half of the connection stays open for QEMU's end to be seen.
        Connection::from(&listener).close().await?;
        while let Some(message) = listener.next().await {
            message?;
        }
        Ok::<(), zbus::Error>(())
    };
    if tokio::time::timeout(CLOSING_TIME, seen_off).await.is_err() {
        tracing::warn!("the engine does not let go of its display's listener");
    }
}

/// The picture's size, as it was drawn last and as the console's properties tell it.
#[derive(Debug, Default)]
struct Sizes {
    drawn: Option<(u32, u32)>,
    told_width: Option<u32>,
    told_height: Option<u32>,
}

impl Sizes {
    /// Whether the picture has another size than the one that was drawn.
    fn are_different(&self) -> bool {
        self.drawn.is_some_and(|(width, height)| {
            self.told_width.is_some_and(|told| told != width)
                || self.told_height.is_some_and(|told| told != height)
        })
    }
}

/// Asks the questions, then tells what is in the queue until that ends. Nothing here waits for an answer:
/// QEMU refuses, for example, a position while its guest takes movements, and the next one may do.
async fn press(console: &Connection, questions: &Questions, queue: &Queue) -> zbus::Result<()> {
    console.send(&questions.pointer).await?;
    console.send(&questions.lights).await?;
    while let Some(input) = queue.next().await {
        console.send(&command(input)?).await?;
    }
    Ok(())
}

fn command(input: Input) -> zbus::Result<Message> {
    let press_or_release = |down| if down { "Press" } else { "Release" };
    match input {
        Input::Switch(Switch::Key(number), down) => {
            call(KEYBOARD_INTERFACE, press_or_release(down), &(u32::from(number),))
        }
        Input::Switch(Switch::Button(number), down) => {
            call(MOUSE_INTERFACE, press_or_release(down), &(u32::from(number),))
        }
        Input::At(x, y) => call(MOUSE_INTERFACE, "SetAbsPosition", &(x, y)),
        Input::By(dx, dy) => call(MOUSE_INTERFACE, "RelMotion", &(dx, dy)),
        // Millimetres that nobody knows are zero, and the picture begins at the corner.
        Input::Size(width, height) => {
            call(CONSOLE_INTERFACE, "SetUIInfo", &(0_u16, 0_u16, 0_i32, 0_i32, width, height))
        }
    }
}

/// A call to the console that is not answered.
fn call(
    interface: &'static str,
    method: &'static str,
    body: &(impl serde::Serialize + DynamicType),
) -> zbus::Result<Message> {
    let message = Message::method_call(CONSOLE, method)?.interface(interface)?;
    message.with_flags(Flags::NoReplyExpected)?.build(body)
}

/// What is asked once; what changes later comes by itself. The answers are found among all other
/// messages, so that none of them is taken for newer than a change that it precedes.
struct Questions {
    pointer: Message,
    lights: Message,
}

/// Properties by their names.
type Properties<'a> = HashMap<&'a str, Value<'a>>;

impl Questions {
    fn new() -> zbus::Result<Self> {
        let ask = |interface: &str| {
            let message = Message::method_call(CONSOLE, "GetAll")?.interface(PROPERTIES_INTERFACE)?;
            message.build(&(interface,))
        };
        Ok(Self { pointer: ask(MOUSE_INTERFACE)?, lights: ask(KEYBOARD_INTERFACE)? })
    }

    /// Looks for an answer or a change.
    fn hear(&self, message: &Message, canvas: &mut dyn Canvas, sizes: &mut Sizes) {
        let header = message.header();
        let body = message.body();
        let noted = match header.message_type() {
            Type::MethodReturn => {
                let serial = header.reply_serial();
                let ours = [&self.pointer, &self.lights];
                if !ours.iter().any(|asked| Some(asked.primary_header().serial_num()) == serial) {
                    return;
                }
                body.deserialize::<Properties<'_>>().map(|properties| note(&properties, canvas, sizes))
            }
            Type::Signal if header.member().is_some_and(|member| member == "PropertiesChanged") => body
                .deserialize::<(&str, Properties<'_>, Vec<&str>)>()
                .map(|(_interface, properties, _)| note(&properties, canvas, sizes)),
            _ => return,
        };
        if let Err(error) = noted {
            tracing::debug!(%error, "the engine told its properties in an odd way");
        }
    }
}

/// Takes over those properties that concern the picture. Their names are unique among the console's
/// interfaces.
fn note(properties: &Properties<'_>, canvas: &mut dyn Canvas, sizes: &mut Sizes) {
    if let Some(Value::Bool(absolute)) = properties.get("IsAbsolute") {
        canvas.pointer_absolute(*absolute);
    }
    if let Some(Value::U32(lights)) = properties.get("Modifiers") {
        canvas.lights(lights & 4 != 0, lights & 2 != 0, lights & 1 != 0);
    }
    if let Some(Value::U32(width)) = properties.get("Width") {
        sizes.told_width = Some(*width);
    }
    if let Some(Value::U32(height)) = properties.get("Height") {
        sizes.told_height = Some(*height);
    }
}

/// How a call of QEMU's is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// It was done.
    Done,
    /// We have no properties. Later QEMUs look for extensions there.
    NoProperties,
    /// There is no such method, or it is called otherwise.
    Unknown,
}

/// Does what QEMU calls for. The body is not copied: pixels go from the message to the canvas.
fn hear(message: &Message, canvas: &mut dyn Canvas, sizes: &mut Sizes) -> Answer {
    let header = message.header();
    if header.message_type() != Type::MethodCall {
        return Answer::Done;
    }
    let interface = header.interface().map_or("", |interface| interface.as_str());
    let member = header.member().map_or("", |member| member.as_str());
    match (interface, member) {
        (LISTENER_INTERFACE, _) => draw(member, message, canvas, sizes).unwrap_or_else(|error| {
            tracing::debug!(member, %error, "the engine draws in an odd way");
            Answer::Unknown
        }),
        (PROPERTIES_INTERFACE, "GetAll") => Answer::NoProperties,
        ("org.freedesktop.DBus.Peer", "Ping") => Answer::Done,
        _ => Answer::Unknown,
    }
}

fn draw(member: &str, message: &Message, canvas: &mut dyn Canvas, sizes: &mut Sizes) -> zbus::Result<Answer> {
    let body = message.body();
    match member {
        "Scanout" => {
            let (width, height, stride, format, pixels): (u32, u32, u32, u32, &[u8]) = body.deserialize()?;
            if FORMATS.contains(&format) {
                sizes.drawn = Some((width, height));
                canvas.picture(width, height, stride, pixels);
            } else {
                tracing::debug!(format, "a picture in a format that is not known");
            }
        }
        "Update" => {
            let (x, y, width, height, stride, format, pixels): (i32, i32, i32, i32, u32, u32, &[u8]) =
                body.deserialize()?;
            let part = [x, y, width, height].map(u32::try_from);
            if let ([Ok(x), Ok(y), Ok(width), Ok(height)], true) = (part, FORMATS.contains(&format)) {
                canvas.update(Rect { x, y, width, height }, stride, pixels);
            } else {
                tracing::debug!(x, y, width, height, format, "an update that is not known");
            }
        }
        "CursorDefine" => {
            let (width, height, hot_x, hot_y, pixels): (i32, i32, i32, i32, &[u8]) = body.deserialize()?;
            if let [Ok(width), Ok(height)] = [width, height].map(u32::try_from) {
                let [hot_x, hot_y] = [hot_x, hot_y].map(|hot| hot.max(0).cast_unsigned());
                canvas.cursor(width, height, (hot_x, hot_y), pixels);
            }
        }
        "MouseSet" => {
            // Where the guest draws its pointer is where the user has put it.
            let (_x, _y, on): (i32, i32, i32) = body.deserialize()?;
            canvas.cursor_visible(on != 0);
        }
        // The last picture stays: QEMU itself does not know what a display shows that is off.
        "Disable" => {}
        // Pictures in the graphics card's memory, which machines of ours do not make.
        _ => return Ok(Answer::Unknown),
    }
    Ok(Answer::Done)
}

/// Answers a call, where QEMU waits for that.
async fn reply(listener: &MessageStream, message: &Message, answer: Answer) -> zbus::Result<()> {
    let header = message.header();
    let primary = header.primary();
    if primary.msg_type() != Type::MethodCall || primary.flags().contains(Flags::NoReplyExpected) {
        return Ok(());
    }
    let reply = match answer {
        Answer::Done => Message::method_return(&header)?.build(&())?,
        Answer::NoProperties => Message::method_return(&header)?.build(&Properties::new())?,
        Answer::Unknown => Message::error(&header, "org.freedesktop.DBus.Error.UnknownMethod")?
            .build(&("not a method of this listener",))?,
    };
    tokio::time::timeout(OPENING_TIME, Connection::from(listener).send(&reply)).await.map_err(|elapsed| {
        zbus::Error::InputOutput(Arc::new(std::io::Error::new(std::io::ErrorKind::TimedOut, elapsed)))
    })?
}

#[cfg(test)]
mod live;
#[cfg(test)]
mod tests;
