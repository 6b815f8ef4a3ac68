//! A window, or all of them: looking for things in it, pressing them, and reading them.

use super::{Desktop, Id, Node, Rect, Role, State};

/// What can be pressed.
const PRESSED: [Role; 5] = [Role::Button, Role::ToggleButton, Role::PageTab, Role::CheckBox, Role::MenuItem];

/// A place to look in.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    desktop: &'a Desktop,
    /// The window's title; everywhere without one.
    window: Option<&'a str>,
}

impl<'a> Place<'a> {
    pub(super) const fn new(desktop: &'a Desktop, window: Option<&'a str>) -> Self {
        Self { desktop, window }
    }

    /// What is shown here now; a root without children where the window is not open.
    pub async fn tree(&self) -> Node {
        let mut all = self.desktop.tree().await;
        if let Some(title) = self.window {
            all.children = std::mem::take(&mut all.children)
                .into_iter()
                .flat_map(|program| program.children)
                .filter(|window| window.name == title)
                .collect();
        }
        all
    }

    /// Looks until there is something.
    ///
    /// # Panics
    /// When that takes too long, with `what`.
    pub async fn until<T>(&self, what: &str, look: impl Fn(&Node) -> Option<T>) -> T {
        let what = match self.window {
            Some(title) => format!("{what} in the window {title:?}"),
            None => what.to_owned(),
        };
        self.desktop.until(&what, async || look(&self.tree().await)).await
    }

    /// Waits for what is and is called so.
    pub async fn find(&self, role: Role, name: &str) -> Node {
        self.until(&format!("{role:?} {name:?}"), |tree| tree.find(role, name).cloned()).await
    }

    /// Waits for a label with these words among its own.
    pub async fn says(&self, words: &str) -> Node {
        self.until(&format!("the words {words:?}"), |tree| tree.label(words).cloned()).await
    }

    /// Chooses an entry of the menu behind a button.
    pub async fn choose(&self, button: &str, entry: &str) {
        self.press(button).await;
        self.press(entry).await;
    }

    /// Waits until nothing is and is called so any more.
    pub async fn lost(&self, role: Role, name: &str) {
        let what = format!("the end of {role:?} {name:?}");
        self.until(&what, |tree| tree.find(role, name).is_none().then_some(())).await;
    }

    /// Waits until nothing is here any more.
    pub async fn closed(&self) {
        self.until("nothing", |tree| tree.children.is_empty().then_some(())).await;
    }

    /// Waits for a button that can be pressed, and presses it.
    pub async fn press(&self, name: &str) {
        let what = format!("{name:?} to be pressed");
        let node = self.until(&what, |tree| {
            let mut found = tree.all().filter(|node| PRESSED.contains(&node.role) && node.name == name);
            found.find(|node| node.is(State::Sensitive)).cloned()
        });
        self.act_on(&node.await).await;
    }

    /// Does what a thing is for.
    pub async fn act_on(&self, node: &Node) {
        // A button that opens a menu is a box around the one that does it.
        let within = node.all().filter(|inner| inner.role == node.role);
        for candidate in within {
            let done: zbus::Result<bool> =
                candidate.id.call(self.desktop.bus(), "Action.DoAction", &(0_i32,)).await;
            if done.unwrap_or(false) {
                return;
            }
        }
        panic!("nothing can be done with {:?} {:?}", node.role, node.name);
    }

    /// Presses, with the pointer, what assistive technology can't press.
    pub async fn click(&self, node: &Node) {
        let (x, y) = self.area(node).await.middle();
        self.desktop.click(x, y).await;
    }

    /// Where something is on the screen. Only in a window with a title.
    pub async fn area(&self, node: &Node) -> Rect {
        let title = self.window.expect("a window");
        let outer = self.desktop.window_area(title).await;
        let inner = self.until("the window", |tree| tree.children.first().map(|window| window.area)).await;
        // Around what the toolkit calls the window there is a border of the same width on each side.
        let (left, top) = ((outer.width - inner.width) / 2, (outer.height - inner.height) / 2);
        Rect { x: outer.x + left + node.area.x, y: outer.y + top + node.area.y, ..node.area }
    }

    /// Puts a text into the field that is called so, in place of what is in it.
    pub async fn write(&self, field: &str, text: &str) {
        let node = self.field(field).await;
        let done = node.id.call(self.desktop.bus(), "EditableText.SetTextContents", &(text,)).await;
        assert!(done.unwrap_or(false), "{field:?} takes no text");
    }

    /// What is in the field that is called so.
    pub async fn read(&self, field: &str) -> String {
        let node = self.field(field).await;
        let bus = self.desktop.bus();
        let length: i32 = node.id.get(bus, "Text.CharacterCount").await.expect("its length");
        node.id.call(bus, "Text.GetText", &(0_i32, length)).await.expect("its text")
    }

    async fn field(&self, name: &str) -> Node {
        let roles = [Role::Text, Role::SpinButton];
        let what = format!("the field {name:?}");
        self.until(&what, |tree| {
            tree.all().find(|node| roles.contains(&node.role) && node.name == name).cloned()
        })
        .await
    }

    /// Sets a slider or another control with a value.
    pub async fn set(&self, role: Role, name: &str, value: f64) {
        let node = self.find(role, name).await;
        let changed = node.id.set(self.desktop.bus(), "Value.CurrentValue", value).await;
        changed.unwrap_or_else(|error| panic!("{name:?}: {error}"));
    }

    /// The value of a slider or another control.
    pub async fn value(&self, role: Role, name: &str) -> f64 {
        let node = self.find(role, name).await;
        let value = node.id.get(self.desktop.bus(), "Value.CurrentValue").await;
        value.unwrap_or_else(|error| panic!("{name:?}: {error}"))
    }

    /// Everything here that a person uses and that has no name.
    pub async fn nameless(&self) -> Vec<String> {
        let tree = self.tree().await;
        let nameless = tree.all().filter(|node| node.is_control() && !node.has_name());
        nameless
            .map(|node| format!("{:?} {:?} in\n{}", node.role, node.name, around(&tree, &node.id)))
            .collect()
    }
}

/// What is around a node, for people who look for it.
fn around(tree: &Node, id: &Id) -> String {
    let holds = |node: &&Node| node.all().any(|inner| inner.id == *id);
    let path: Vec<_> =
        tree.all().filter(holds).map(|node| format!("{:?} {:?}", node.role, node.name)).collect();
    path.join(" > ")
}
