//! A file dragged from another program and dropped, as from a file manager.

use super::{Desktop, Rect};
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};

/// The other program: a small window that is all file.
const SOURCE: &str = r#"
import sys, gi
gi.require_version("Gtk", "4.0")
gi.require_version("Gdk", "4.0")
from gi.repository import Gdk, Gio, GLib, Gtk

class Source(Gtk.Application):
    def do_activate(self):
        window = Gtk.ApplicationWindow(application=self, title="dragged-file", default_width=120, default_height=120)
        picture = Gtk.Label(label="file")
        uri = Gio.File.new_for_path(sys.argv[1]).get_uri()
        drag = Gtk.DragSource(actions=Gdk.DragAction.COPY)
        drag.set_content(Gdk.ContentProvider.new_for_bytes("text/uri-list", GLib.Bytes.new((uri + "\r\n").encode())))
        drag.connect("drag-end", lambda *_: print("end", flush=True))
        picture.add_controller(drag)
        window.set_child(picture)
        window.set_decorated(False)
        window.present()
        print("ready", flush=True)

Source(flags=Gio.ApplicationFlags.NON_UNIQUE).run([])
"#;

/// How many steps the pointer makes on its way: one that jumps is no drag.
const STEPS: i32 = 12;

impl Desktop {
    /// Drags a file from a window of another program and drops it in the middle of an area.
    pub async fn drop_file(&self, file: &Path, onto: Rect) {
        let mut source = self.command("/usr/bin/python3");
        source.args(["-c", SOURCE]).arg(file).env("GTK_A11Y", "none").stdout(Stdio::piped());
        let mut source = source.spawn().expect("python runs");
        let mut said = BufReader::new(source.stdout.take().expect("its output")).lines();
        let ready = self.patience("the window to drag from", said.next_line()).await.expect("its output");
        assert_eq!(
            ready.as_deref(),
            Some("ready"),
            "the window to drag from: is PyGObject with GTK 4 installed?"
        );
        self.move_window("dragged-file", self.size().0 - 140, 10).await;
        let from = self.window_area("dragged-file").await.middle();
        let to = onto.middle();
        let mut words: Vec<String> = Vec::new();
        let mut say = |text: &[String]| words.extend_from_slice(text);
        let point = |(x, y): (i32, i32)| ["mousemove".to_owned(), x.to_string(), y.to_string()];
        let rest = || ["sleep".to_owned(), "0.03".to_owned()];
        say(&point(from));
        say(&["mousedown".to_owned(), "1".to_owned()]);
        for step in 1..=STEPS {
            let between = |from, to| from + (to - from) * step / STEPS;
            say(&rest());
            say(&point((between(from.0, to.0), between(from.1, to.1))));
        }
        // The target says whether it takes the file once the pointer has moved within it.
        for nudge in [1, 0] {
            say(&rest());
            say(&point((to.0 + nudge, to.1)));
        }
        say(&["sleep".to_owned(), "0.1".to_owned(), "mouseup".to_owned(), "1".to_owned()]);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        self.xdotool(&words).await.expect("a drag");
        let end = self.patience("the end of the drag", said.next_line()).await.expect("its output");
        assert_eq!(end.as_deref(), Some("end"));
        source.kill().await.expect("the window to drag from closes");
    }
}
