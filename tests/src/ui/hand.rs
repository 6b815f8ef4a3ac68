//! Real keys and a real pointer, for what assistive technology can't do, and to hold that it is not the
//! only way.

use super::Desktop;
use crate::Picture;
use std::path::Path;

/// An area of the screen, in pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rect {
    /// From the left.
    pub x: i32,
    /// From the top.
    pub y: i32,
    /// Its width.
    pub width: i32,
    /// Its height.
    pub height: i32,
}

impl Rect {
    /// Its middle.
    pub fn middle(self) -> (i32, i32) {
        (self.x + self.width / 2, self.y + self.height / 2)
    }

    /// What it has in common with another area; without width or height where that is nothing.
    #[must_use]
    pub fn common(self, other: Self) -> Self {
        let (x, y) = (self.x.max(other.x), self.y.max(other.y));
        let right = (self.x + self.width).min(other.x + other.width);
        let bottom = (self.y + self.height).min(other.y + other.height);
        Self { x, y, width: (right - x).max(0), height: (bottom - y).max(0) }
    }

    /// Whether both have something in common.
    pub fn meets(self, other: Self) -> bool {
        let common = self.common(other);
        common.width > 0 && common.height > 0
    }
}

impl Desktop {
    /// Runs `xdotool` and returns what it prints; nothing where it can't do what it was told.
    pub(super) async fn xdotool(&self, words: &[&str]) -> Option<String> {
        let output = self.command("xdotool").args(words).output().await.expect("xdotool runs");
        let text = String::from_utf8(output.stdout).expect("text");
        output.status.success().then(|| text.trim().to_owned())
    }

    /// The numbers of the windows with this title that can be seen, those that came last at the end.
    pub(super) async fn windows_titled(&self, title: &str) -> Vec<String> {
        let pattern = format!("^{}$", escape(title));
        let found = self.xdotool(&["search", "--onlyvisible", "--name", &pattern]).await;
        found.unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// Whether a window with this title is on the screen.
    pub async fn has_window(&self, title: &str) -> bool {
        !self.windows_titled(title).await.is_empty()
    }

    /// Gives the keyboard to the window with this title, and brings it to the front.
    pub async fn focus(&self, title: &str) {
        let window = self.window_number(title).await;
        self.xdotool(&["windowraise", &window, "windowfocus", "--sync", &window]).await;
    }

    /// Moves a window.
    pub async fn move_window(&self, title: &str, x: i32, y: i32) {
        let window = self.window_number(title).await;
        self.xdotool(&["windowmove", "--sync", &window, &x.to_string(), &y.to_string()]).await;
    }

    /// Gives a window another size.
    pub async fn resize_window(&self, title: &str, width: i32, height: i32) {
        let window = self.window_number(title).await;
        self.xdotool(&["windowsize", &window, &width.to_string(), &height.to_string()]).await;
    }

    /// Where a window is on the screen.
    pub async fn window_area(&self, title: &str) -> Rect {
        let window = self.window_number(title).await;
        let said = self.xdotool(&["getwindowgeometry", "--shell", &window]).await.expect("its geometry");
        let value = |key: &str| {
            let line = said.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            line.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{key} is not in {said:?}"))
        };
        Rect { x: value("X"), y: value("Y"), width: value("WIDTH"), height: value("HEIGHT") }
    }

    async fn window_number(&self, title: &str) -> String {
        let what = format!("a window titled {title:?}");
        self.until(&what, async || self.windows_titled(title).await.pop()).await
    }

    /// Presses keys one after the other, each by its name or as `ctrl+n`.
    pub async fn keys(&self, keys: &[&str]) {
        let words: Vec<_> = ["key", "--delay", "30"].iter().chain(keys).copied().collect();
        self.xdotool(&words).await.expect("keys");
    }

    /// Types a text, no faster than a person: a guest without acceleration on a busy host takes no more, and
    /// what its keyboard can't hold is lost.
    pub async fn type_text(&self, text: &str) {
        self.xdotool(&["type", "--delay", "100", text]).await.expect("typing");
    }

    /// Presses and lets go the pointer's first button.
    pub async fn click(&self, x: i32, y: i32) {
        self.xdotool(&["mousemove", &x.to_string(), &y.to_string(), "click", "1"]).await.expect("a click");
    }

    /// Takes a picture of one window, which nothing may lie above.
    pub async fn photograph(&self, title: &str, file: &Path) {
        let Rect { x, y, width, height } = self.window_area(title).await;
        let part = format!("{width}x{height}+{x}+{y}");
        let mut command = self.command("import");
        command.args(["-silent", "-window", "root", "-crop", &part, "+repage"]).arg(file);
        let status = command.status().await;
        assert!(status.is_ok_and(|status| status.success()), "no picture of the screen could be taken");
    }

    /// What is on this part of the screen now.
    pub async fn picture(&self, area: Rect) -> Picture {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("screen.png");
        self.screenshot(&file).await;
        let side = |length: i32| u32::try_from(length).unwrap_or(0);
        Picture::read(&file).part(side(area.x), side(area.y), side(area.width), side(area.height))
    }

    /// Takes a picture of the whole screen.
    pub async fn screenshot(&self, file: &Path) {
        let mut command = self.command("import");
        let status = command.args(["-silent", "-window", "root"]).arg(file).status().await;
        assert!(status.is_ok_and(|status| status.success()), "no picture of the screen could be taken");
    }
}

/// Takes from characters the meaning that they have in a pattern.
fn escape(text: &str) -> String {
    let special = |c: char| c.is_ascii_punctuation();
    text.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}
