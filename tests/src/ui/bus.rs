//! The protocol of assistive technology (AT-SPI), as far as tests need it.
//!
//! The crates for it switch on a second async runtime in `zbus`, and with it in everything of this
//! workspace that is built beside the tests; these few calls don't.

use serde::de::DeserializeOwned;
use zbus::Connection;
use zbus::names::OwnedBusName;
use zbus::zvariant::{DynamicType, OwnedObjectPath, OwnedValue, Type};

/// What the thing is that is shown, as far as tests tell them apart. The numbers are the protocol's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    CheckBox,
    ComboBox,
    Dialog,
    Image,
    Label,
    List,
    ListItem,
    /// What opens from a button.
    Menu,
    MenuItem,
    PageTab,
    /// A box.
    Panel,
    Button,
    RadioButton,
    Slider,
    SpinButton,
    Terminal,
    /// A field for text.
    Text,
    ToggleButton,
    Window,
    Application,
    Link,
    /// Something else.
    Other(u32),
}

impl From<u32> for Role {
    fn from(number: u32) -> Self {
        match number {
            7 => Self::CheckBox,
            11 => Self::ComboBox,
            16 => Self::Dialog,
            26 | 27 => Self::Image,
            29 => Self::Label,
            31 => Self::List,
            32 => Self::ListItem,
            33 => Self::Menu,
            35 => Self::MenuItem,
            37 => Self::PageTab,
            39 => Self::Panel,
            43 => Self::Button,
            44 => Self::RadioButton,
            51 => Self::Slider,
            52 => Self::SpinButton,
            60 => Self::Terminal,
            40 | 61 | 79 => Self::Text,
            62 => Self::ToggleButton,
            23 | 69 => Self::Window,
            75 => Self::Application,
            88 => Self::Link,
            other => Self::Other(other),
        }
    }
}

/// How a thing is, as far as tests tell. The numbers are the protocol's, which are places in a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Active = 1,
    Checked = 4,
    Expanded = 10,
    Focused = 12,
    Pressed = 20,
    Selected = 23,
    Sensitive = 24,
    Showing = 25,
    InvalidEntry = 36,
}

impl State {
    const ALL: [Self; 9] = [
        Self::Active,
        Self::Checked,
        Self::Expanded,
        Self::Focused,
        Self::Pressed,
        Self::Selected,
        Self::Sensitive,
        Self::Showing,
        Self::InvalidEntry,
    ];
}

/// A set of states.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct States(u64);

impl States {
    /// Whether this is in it.
    pub const fn has(self, state: State) -> bool {
        self.0 >> state as u32 & 1 == 1
    }

    /// All in it.
    pub fn all(self) -> impl Iterator<Item = State> {
        State::ALL.into_iter().filter(move |state| self.has(*state))
    }
}

/// Where a thing is found again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Id {
    /// The program's name on the bus.
    pub program: OwnedBusName,
    /// The object's path.
    pub path: OwnedObjectPath,
}

impl Id {
    /// What holds all programs.
    pub(super) fn root() -> Self {
        Self {
            program: "org.a11y.atspi.Registry".try_into().expect("a name"),
            path: "/org/a11y/atspi/accessible/root".try_into().expect("a path"),
        }
    }

    /// Calls a method of one of its interfaces.
    pub(super) async fn call<A, T>(&self, bus: &Connection, method: &str, arguments: &A) -> zbus::Result<T>
    where
        A: serde::Serialize + DynamicType + Sync,
        T: DeserializeOwned + Type,
    {
        let (interface, method) = method.split_once('.').expect("an interface and its method");
        let interface = format!("org.a11y.atspi.{interface}");
        let interface = Some(interface.as_str());
        let reply = bus.call_method(Some(&self.program), &self.path, interface, method, arguments).await?;
        reply.body().deserialize()
    }

    /// Reads a property of one of its interfaces.
    pub(super) async fn get<T>(&self, bus: &Connection, property: &str) -> zbus::Result<T>
    where
        T: TryFrom<OwnedValue, Error: Into<zbus::Error>>,
    {
        let (interface, property) = property.split_once('.').expect("an interface and its property");
        let what = (format!("org.a11y.atspi.{interface}"), property);
        let reply = bus.call_method(Some(&self.program), &self.path, Some(PROPERTIES), "Get", &what).await?;
        let value: OwnedValue = reply.body().deserialize()?;
        value.try_into().map_err(Into::into)
    }

    /// Changes a property of one of its interfaces.
    pub(super) async fn set(&self, bus: &Connection, property: &str, value: f64) -> zbus::Result<()> {
        let (interface, property) = property.split_once('.').expect("an interface and its property");
        let what = (format!("org.a11y.atspi.{interface}"), property, zbus::zvariant::Value::F64(value));
        bus.call_method(Some(&self.program), &self.path, Some(PROPERTIES), "Set", &what).await?;
        Ok(())
    }

    pub(super) async fn states(&self, bus: &Connection) -> zbus::Result<States> {
        let words: Vec<u32> = self.call(bus, "Accessible.GetState", &()).await?;
        let word = |place: usize| u64::from(words.get(place).copied().unwrap_or_default());
        Ok(States(word(0) | word(1) << 32))
    }

    pub(super) async fn role(&self, bus: &Connection) -> zbus::Result<Role> {
        let number: u32 = self.call(bus, "Accessible.GetRole", &()).await?;
        Ok(number.into())
    }

    pub(super) async fn children(&self, bus: &Connection) -> zbus::Result<Vec<Self>> {
        let children: Vec<(OwnedBusName, OwnedObjectPath)> =
            self.call(bus, "Accessible.GetChildren", &()).await?;
        Ok(children.into_iter().map(|(program, path)| Self { program, path }).collect())
    }
}

const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// The bus of assistive technology that belongs to a session bus.
///
/// # Panics
/// Where there is none.
pub(super) async fn connect(session: &str) -> Connection {
    let session = zbus::connection::Builder::address(session).expect("an address").build().await;
    let session = session.expect("the session bus");
    let asked =
        session.call_method(Some("org.a11y.Bus"), "/org/a11y/bus", Some("org.a11y.Bus"), "GetAddress", &());
    let reply =
        crate::within("the bus of assistive technology", asked).await.expect("at-spi2-core is installed");
    let address: String = reply.body().deserialize().expect("an address");
    let builder = zbus::connection::Builder::address(address.as_str()).expect("an address");
    builder.build().await.expect("the bus of assistive technology")
}
