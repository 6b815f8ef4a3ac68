//! What the guest uses, as graphs of the last minute. The core is listened to only while they can be seen
//! and the guest runs; otherwise nothing is measured.

use crate::model::usage::{Reading, cpu, memory, traffic};
use crate::widgets::graph::Graph;
use adw::prelude::*;
use gtk::glib;
use hv_api::{GuestId, GuestInfo, GuestState, GuestStatistics, Usage};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use tokio::sync::mpsc;
use virt_kit::i18n::gettext_f;

/// A guest's statistics, until what is returned is dropped.
type Listen = Box<dyn Fn(GuestId) -> mpsc::Receiver<GuestStatistics>>;

/// Who else wants to know what was measured; nothing where that is over.
type Measured = Box<dyn Fn(Option<&GuestStatistics>)>;

/// The graphs.
#[derive(Clone)]
pub struct UsagePanel(Rc<Panel>);

struct Panel {
    root: gtk::Box,
    cpu: Card,
    memory: Card,
    traffic: gtk::Label,
    listen: RefCell<Option<Listen>>,
    measured: RefCell<Option<Measured>>,
    /// The guest that runs and is shown.
    wanted: Cell<Option<GuestId>>,
    /// The one that is listened to, by which task.
    heard: RefCell<Option<(GuestId, glib::JoinHandle<()>)>>,
    /// The one whose values are in the graphs.
    drawn: Cell<Option<GuestId>>,
}

/// A value: its name, its words and its graph.
struct Card {
    root: gtk::Box,
    title: gtk::Label,
    words: gtk::Label,
    whole: gtk::Label,
    graph: Graph,
}

impl Card {
    fn new() -> Self {
        let small = || {
            gtk::Label::builder()
                .xalign(0.0)
                .ellipsize(gtk::pango::EllipsizeMode::End)
                .css_classes(["caption", "dim-label"])
                .build()
        };
        let title = small();
        let words = gtk::Label::builder()
            .xalign(0.0)
            .ellipsize(gtk::pango::EllipsizeMode::End)
            .css_classes(["heading", "numeric"])
            .build();
        let whole = small();
        let graph = Graph::default();
        let root = gtk::Box::builder()
            .orientation(gtk::Orientation::Vertical)
            .spacing(3)
            .hexpand(true)
            .css_classes(["card", "usage"])
            .build();
        root.append(&title);
        root.append(&words);
        root.append(&whole);
        root.append(graph.widget());
        Self { root, title, words, whole, graph }
    }

    fn show(&self, reading: &Reading) {
        self.title.set_label(&reading.title);
        self.words.set_label(&reading.words);
        self.whole.set_label(&reading.whole);
        // Translators: what a graph shows to those who can't see it, as in "Processor: 12 % of 2 CPUs".
        let told = gettext_f(
            "{title}: {value} {whole}",
            &[("title", &reading.title), ("value", &reading.words), ("whole", &reading.whole)],
        );
        self.graph.push(reading.share, &told);
    }
}

impl UsagePanel {
    /// Graphs that show nothing.
    pub fn new() -> Self {
        let (cpu, memory) = (Card::new(), Card::new());
        let cards = gtk::Box::builder().spacing(12).homogeneous(true).build();
        cards.append(&cpu.root);
        cards.append(&memory.root);
        let traffic = gtk::Label::builder()
            .xalign(0.0)
            .wrap(true)
            .natural_wrap_mode(gtk::NaturalWrapMode::None)
            .css_classes(["caption", "dim-label", "numeric"])
            .build();
        let root =
            gtk::Box::builder().orientation(gtk::Orientation::Vertical).spacing(9).visible(false).build();
        root.append(&cards);
        root.append(&traffic);
        let panel = Rc::new(Panel {
            root: root.clone(),
            cpu,
            memory,
            traffic,
            listen: RefCell::default(),
            measured: RefCell::default(),
            wanted: Cell::default(),
            heard: RefCell::default(),
            drawn: Cell::default(),
        });
        let look = |panel: &Rc<Panel>| {
            let panel = Rc::downgrade(panel);
            move |_root: &gtk::Box| {
                if let Some(panel) = panel.upgrade() {
                    panel.listen_as_seen();
                }
            }
        };
        root.connect_map(look(&panel));
        root.connect_unmap(look(&panel));
        Self(panel)
    }

    /// The widget.
    pub fn widget(&self) -> &gtk::Box {
        &self.0.root
    }

    /// Says how a guest is listened to.
    pub fn set_source(&self, listen: impl Fn(GuestId) -> mpsc::Receiver<GuestStatistics> + 'static) {
        self.0.listen.replace(Some(Box::new(listen)));
        self.0.listen_as_seen();
    }

    /// Has each measurement told as well, and with nothing that those before are of no worth any more.
    pub fn connect_measured(&self, measured: impl Fn(Option<&GuestStatistics>) + 'static) {
        self.0.measured.replace(Some(Box::new(measured)));
    }

    /// Shows a guest, or none.
    pub fn show(&self, guest: Option<&GuestInfo>) {
        let measured = guest.filter(|guest| match guest.state {
            GuestState::Running | GuestState::Paused | GuestState::ShuttingDown => true,
            GuestState::Off
            | GuestState::Starting
            | GuestState::Saving
            | GuestState::Saved
            | GuestState::Crashed
            | GuestState::Unavailable => false,
        });
        self.0.wanted.set(measured.map(|guest| guest.id));
        if measured.is_none() {
            // Its next start begins with an empty graph.
            self.0.drawn.set(None);
            self.0.tell(None);
        }
        self.0.root.set_visible(measured.is_some());
        self.0.listen_as_seen();
    }
}

impl Panel {
    /// Begins or ceases to listen.
    fn listen_as_seen(self: &Rc<Self>) {
        let wanted = self.wanted.get().filter(|_guest| self.root.is_mapped());
        if wanted == self.heard.borrow().as_ref().map(|(guest, _task)| *guest) {
            return;
        }
        if let Some((_guest, task)) = self.heard.take() {
            task.abort();
        }
        let Some(guest) = wanted else { return };
        let Some(statistics) = self.listen.borrow().as_ref().map(|listen| listen(guest)) else { return };
        if self.drawn.replace(Some(guest)) != Some(guest) {
            for card in [&self.cpu, &self.memory] {
                card.graph.clear();
                card.title.set_label("");
                card.words.set_label("");
                card.whole.set_label("");
            }
            self.traffic.set_label("");
            self.tell(None);
        }
        let panel = Rc::downgrade(self);
        let task = glib::spawn_future_local(async move {
            let mut statistics = statistics;
            let mut before: Option<GuestStatistics> = None;
            while let Some(measured) = statistics.recv().await {
                let Some(panel) = panel.upgrade() else { return };
                panel.draw(before.as_ref(), &measured);
                before = Some(measured);
            }
            // The guest or the core has ended; what comes next makes it begin anew.
            if let Some(panel) = panel.upgrade() {
                panel.heard.take();
            }
        });
        self.heard.replace(Some((guest, task)));
    }

    fn tell(&self, measured: Option<&GuestStatistics>) {
        if let Some(tell) = &*self.measured.borrow() {
            tell(measured);
        }
    }

    fn draw(&self, before: Option<&GuestStatistics>, measured: &GuestStatistics) {
        self.tell(Some(measured));
        // Nothing can be said of one moment.
        let Some(usage) = before.and_then(|before| Usage::between(before, measured)) else { return };
        self.cpu.show(&cpu(&usage, &measured.cpu));
        self.memory.show(&memory(&measured.memory));
        let words = traffic(&usage);
        self.traffic.set_visible(!words.is_empty());
        self.traffic.set_label(&words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{guest, until, with_display};
    use hv_api::{CpuStatistics, VcpuStatistics};

    fn at(second: u64) -> GuestStatistics {
        let time = second * 1_000_000_000;
        let vcpus = Some(vec![VcpuStatistics { number: 0, time: time / 4 }]);
        GuestStatistics { time, cpu: CpuStatistics { engine: time / 4, vcpus }, ..GuestStatistics::default() }
    }

    #[test]
    fn a_guest_is_listened_to_only_while_it_runs_and_is_seen() {
        with_display(|| {
            let panel = UsagePanel::new();
            let listeners: Rc<RefCell<Vec<mpsc::Sender<GuestStatistics>>>> = Rc::default();
            panel.set_source({
                let listeners = Rc::clone(&listeners);
                move |_guest| {
                    let (sender, receiver) = mpsc::channel(4);
                    listeners.borrow_mut().push(sender);
                    receiver
                }
            });
            let count = || listeners.borrow().len();
            let closed = |number: usize| listeners.borrow()[number].is_closed();
            let mut lamp = guest("Lamp", GuestState::Running);
            panel.show(Some(&lamp));
            assert_eq!(count(), 0, "nobody sees it");

            let window = gtk::Window::builder().child(panel.widget()).build();
            window.present();
            until("it listens", || count() == 1);
            for second in 1..3 {
                listeners.borrow()[0].try_send(at(second)).expect("it listens");
            }
            until("it is shown", || panel.0.cpu.words.label() == "25 %");
            panel.show(Some(&lamp));
            assert_eq!(count(), 1, "the same guest is listened to once");

            window.set_child(gtk::Widget::NONE);
            until("it listens no longer", || closed(0));
            window.set_child(Some(panel.widget()));
            until("it listens again", || count() == 2);
            assert_eq!(panel.0.cpu.words.label(), "25 %", "what was measured stays");

            lamp.state = GuestState::Off;
            panel.show(Some(&lamp));
            until("a guest that is off costs nothing", || closed(1));
            lamp.state = GuestState::Running;
            panel.show(Some(&lamp));
            until("it listens to the next start", || count() == 3);
            assert_eq!(panel.0.cpu.words.label(), "", "which has used nothing yet");

            // The core has ended, and is back.
            listeners.borrow_mut().pop();
            until("the end is noticed", || panel.0.heard.borrow().is_none());
            panel.show(Some(&lamp));
            until("it listens anew", || count() == 3);
            window.destroy();
        });
    }
}
