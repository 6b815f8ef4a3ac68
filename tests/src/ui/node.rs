//! One moment's tree of what the windows show, as assistive technology is told it.

use super::Rect;
use super::bus::{Id, Role, State, States};
use futures_util::future::{BoxFuture, FutureExt, join_all};
use std::fmt::Write;
use zbus::Connection;
use zbus::zvariant::OwnedObjectPath;

/// Deeper than any window that a person could use.
const DEPTH_LIMIT: usize = 100;

/// How assistive technology says that a place is one in the window.
pub(super) const IN_WINDOW: u32 = 1;

/// What is shown, with everything in it.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it is found again.
    pub id: Id,
    /// What it is.
    pub role: Role,
    /// What a screen reader calls it.
    pub name: String,
    /// What a screen reader says beyond that.
    pub description: String,
    /// How it is.
    pub states: States,
    /// Where it is in its window.
    pub area: Rect,
    /// What is in it.
    pub children: Vec<Node>,
}

/// What is known on the way down.
#[derive(Debug, Clone, Copy, Default)]
struct Way {
    depth: usize,
    /// Whether the toolkit says itself what is in sight.
    tells_sight: bool,
}

impl Node {
    /// Reads what is in sight in all programs.
    pub(super) async fn read_all(bus: &Connection) -> Option<Self> {
        let mut all = Self::read(bus, Id::root(), Way::default()).await?;
        for program in &mut all.children {
            for window in &mut program.children {
                let id = window.id.clone();
                window.keep_what_is_in_sight(bus, &id).await;
            }
        }
        Some(all)
    }

    /// Reads an object with everything in it; nothing where it has gone or is not in sight.
    fn read(bus: &Connection, id: Id, way: Way) -> BoxFuture<'_, Option<Self>> {
        async move {
            let (states, area) = futures_util::join!(id.states(bus), area(bus, &id));
            let states = states.ok()?;
            let in_window = way.depth > 2;
            let in_sight = if way.tells_sight { states.has(State::Showing) } else { area.is_some() };
            let area = area.unwrap_or_default();
            if in_window && !in_sight {
                return None;
            }
            let (role, name, description, children) = futures_util::join!(
                id.role(bus),
                id.get::<String>(bus, "Accessible.Name"),
                id.get::<String>(bus, "Accessible.Description"),
                id.children(bus),
            );
            let mut inner = Way { depth: way.depth + 1, ..way };
            if way.depth == 1 {
                let version: zbus::Result<String> = id.get(bus, "Application.Version").await;
                inner.tells_sight = version.is_ok_and(|version| tells_sight(&version));
            }
            let mut children = children.unwrap_or_default();
            if way.depth >= DEPTH_LIMIT {
                children.clear();
            }
            let children = children.into_iter().map(|child| Self::read(bus, child, inner));
            let children = join_all(children).await.into_iter().flatten().collect();
            Some(Self {
                role: role.ok()?,
                name: spoken(&name.unwrap_or_default()),
                description: description.unwrap_or_default(),
                states,
                area,
                children,
                id,
            })
        }
        .boxed()
    }

    /// Takes out what was in sight once, as a stack's pages and closed menus: to GTK before 4.10 they still
    /// have the place that they had.
    fn keep_what_is_in_sight<'a>(&'a mut self, bus: &'a Connection, window: &'a Id) -> BoxFuture<'a, ()> {
        async move {
            let areas: Vec<_> = self.children.iter().map(|child| child.area).collect();
            for (index, mut child) in std::mem::take(&mut self.children).into_iter().enumerate() {
                let mut others = areas.iter().enumerate().filter(|(other, _)| *other != index);
                let crowded = others.any(|(_, area)| child.area.meets(*area));
                let in_sight = if child.role == Role::Menu {
                    self.is(State::Expanded)
                } else {
                    !crowded || child.is_met(bus, window, self.area).await
                };
                if in_sight {
                    child.keep_what_is_in_sight(bus, window).await;
                    self.children.push(child);
                }
            }
        }
        .boxed()
    }

    /// Whether it, or something in it, is what the pointer meets at one of several points of its area.
    async fn is_met(&self, bus: &Connection, window: &Id, clip: Rect) -> bool {
        let area = self.area.common(clip);
        for (across, down) in [(2, 2), (1, 1), (3, 1), (1, 3), (3, 3), (2, 1), (2, 3), (1, 2), (3, 2)] {
            let at = (area.x + area.width * across / 4, area.y + area.height * down / 4);
            let found: zbus::Result<((String, OwnedObjectPath),)> =
                window.call(bus, "Component.GetAccessibleAtPoint", &(at.0, at.1, IN_WINDOW)).await;
            if found.is_ok_and(|((_, path),)| self.all().any(|node| node.id.path == path)) {
                return true;
            }
        }
        false
    }

    /// It and everything in it, from top to bottom.
    pub fn all(&self) -> Box<dyn Iterator<Item = &Self> + '_> {
        Box::new(std::iter::once(self).chain(self.children.iter().flat_map(Self::all)))
    }

    /// The first in it that is and is called so.
    pub fn find(&self, role: Role, name: &str) -> Option<&Self> {
        self.all().find(|node| node.role == role && node.name == name)
    }

    /// The first label in it with these words among its own.
    pub fn label(&self, words: &str) -> Option<&Self> {
        self.all().find(|node| node.role == Role::Label && node.name.contains(words))
    }

    /// Whether it is so.
    pub fn is(&self, state: State) -> bool {
        self.states.has(state)
    }

    /// Whether a person does something with it.
    pub fn is_control(&self) -> bool {
        matches!(
            self.role,
            Role::Button
                | Role::ToggleButton
                | Role::CheckBox
                | Role::RadioButton
                | Role::ComboBox
                | Role::Text
                | Role::SpinButton
                | Role::Slider
                | Role::PageTab
                | Role::MenuItem
                | Role::Link
        )
    }

    /// Whether it has a name of its own: the toolkit calls nameless things by their type.
    pub fn has_name(&self) -> bool {
        let by_type = ["Gtk", "Adw", "Vte", "Guesthouse"].iter().any(|prefix| {
            self.name.strip_prefix(prefix).is_some_and(|rest| {
                rest.starts_with(char::is_uppercase) && rest.chars().all(char::is_alphanumeric)
            })
        });
        !self.name.is_empty() && !by_type
    }

    /// The tree as text, for people who read why a test failed.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, 0);
        text
    }

    fn write(&self, text: &mut String, depth: usize) {
        // Boxes that only place other things say nothing.
        let says = !self.name.is_empty() || !self.description.is_empty() || self.is_control();
        let inner = if says { depth + 1 } else { depth };
        if says {
            let states: Vec<_> = self.states.all().map(|state| format!("{state:?}")).collect();
            let Self { role, name, description, area, .. } = self;
            let said = if description.is_empty() { String::new() } else { format!(" ({description:?})") };
            let place = format!("{}x{}+{}+{}", area.width, area.height, area.x, area.y);
            let indent = "  ".repeat(depth);
            // A `String` takes everything.
            let _ok = writeln!(text, "{indent}{role:?} {name:?}{said} {place} {}", states.join(" "));
        }
        for child in &self.children {
            child.write(text, inner);
        }
    }
}

/// Whether this version of GTK says of each widget whether it is in sight.
fn tells_sight(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default()) >= (4, 10)
}

/// Where something is in its window; `None` where it has no place.
async fn area(bus: &Connection, id: &Id) -> Option<Rect> {
    let extents: zbus::Result<((i32, i32, i32, i32),)> =
        id.call(bus, "Component.GetExtents", &(IN_WINDOW,)).await;
    let ((x, y, width, height),) = extents.ok()?;
    (width > 0 && height > 0).then_some(Rect { x, y, width, height })
}

/// A name as it is said. GTK 4.8 gives it twice where a label names its button, once with the mark of the
/// key in it.
fn spoken(name: &str) -> String {
    let name = name.trim().replace('_', "");
    let half = name.len() / 2;
    match (name.get(..half), name.get(half + 1..)) {
        (Some(one), Some(other)) if one == other && name.as_bytes()[half] == b' ' => one.to_owned(),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::{spoken, tells_sight};

    #[test]
    fn a_name_that_is_said_twice_is_one_name() {
        assert_eq!(spoken("_Details Details"), "Details");
        assert_eq!(spoken("C_reate Create"), "Create");
        assert_eq!(spoken("CPUs CPUs"), "CPUs");
        assert_eq!(spoken("New Guest"), "New Guest");
        assert_eq!(spoken("é é"), "é");
        assert_eq!(spoken(""), "");
    }

    #[test]
    fn old_toolkits_are_known_by_their_version() {
        assert!(!tells_sight("4.8.3"));
        assert!(tells_sight("4.10.1"));
        assert!(tells_sight("5.0"));
        assert!(!tells_sight(""));
    }
}
