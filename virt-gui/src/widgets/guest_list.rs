//! The list of guests, made for thousands: only rows in sight have widgets, and a change of one guest
//! touches its own row only.

use crate::actions;
use crate::model::power::PowerAction;
use crate::model::row::{Row, Search};
use crate::model::state;
use gtk::glib::BoxedAnyObject;
use gtk::prelude::*;
use gtk::{gio, glib};
use hv_api::GuestId;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use virt_kit::i18n::gettext;

/// What the list tells.
#[derive(Debug, Clone, Copy)]
pub enum ListNews {
    /// Another row is selected, or none.
    Selected(Option<GuestId>),
    /// A row was pressed twice, or Enter on it.
    Opened(GuestId),
    /// The button beside a row was pressed.
    Power(GuestId, PowerAction),
}

/// The widgets of one row in sight.
#[derive(Debug, Clone)]
struct RowWidgets {
    item: glib::WeakRef<gtk::ListItem>,
    icon: gtk::Image,
    name: gtk::Label,
    subtitle: gtk::Label,
    layout: gtk::Box,
}

/// How many rows come first, and with each frame after: what a window as high as most screens has room for.
const FIRST_ROWS: u32 = 25;

/// Of how many rows, at the most, the toolkit makes widgets; all others cost it nothing.
const ROWS_WITH_WIDGETS: u32 = 200;

type InSight = Rc<RefCell<HashMap<GuestId, RowWidgets>>>;

/// The list.
#[derive(Debug)]
pub struct GuestList {
    view: gtk::ListView,
    store: gio::ListStore,
    filter: gtk::CustomFilter,
    sorter: gtk::CustomSorter,
    found: gtk::FilterListModel,
    /// What of it the view knows: all but for the first frame of a long list.
    shown: gtk::SliceListModel,
    selection: gtk::SingleSelection,
    items: HashMap<GuestId, BoxedAnyObject>,
    in_sight: InSight,
    search: Rc<RefCell<Search>>,
    /// Who is selected, also while a search hides the row.
    chosen: Rc<Cell<Option<GuestId>>>,
}

impl GuestList {
    /// An empty list; `tell` hears what people do with it.
    pub fn new(tell: impl Fn(ListNews) + 'static) -> Self {
        let tell: Rc<dyn Fn(ListNews)> = Rc::new(tell);
        let store = gio::ListStore::new::<BoxedAnyObject>();
        let sorter = gtk::CustomSorter::new(|a, b| match (item_row(a), item_row(b)) {
            (Some(a), Some(b)) => a.borrow::<Row>().order(&b.borrow::<Row>()).into(),
            _ => gtk::Ordering::Equal,
        });
        let search = Rc::new(RefCell::new(Search::default()));
        let filter = gtk::CustomFilter::new({
            let search = Rc::clone(&search);
            move |item| item_row(item).is_some_and(|row| row.borrow::<Row>().matches(&search.borrow()))
        });
        let found = gtk::FilterListModel::new(Some(store.clone()), Some(filter.clone()));
        let sorted = gtk::SortListModel::new(Some(found.clone()), Some(sorter.clone()));
        let shown = gtk::SliceListModel::new(Some(sorted), 0, u32::MAX);
        let selection =
            gtk::SingleSelection::builder().model(&shown).autoselect(false).can_unselect(true).build();
        selection.set_selected(gtk::INVALID_LIST_POSITION);

        let in_sight = InSight::default();
        let view = gtk::ListView::new(Some(selection.clone()), Some(factory(&in_sight, &tell)));
        view.add_css_class("navigation-sidebar");
        view.update_property(&[gtk::accessible::Property::Label(&gettext("Guests"))]);
        view.add_controller(actions::list_keys());
        let chosen: Rc<Cell<Option<GuestId>>> = Rc::default();
        selection.connect_selected_item_notify({
            let (tell, search, chosen) = (Rc::clone(&tell), Rc::clone(&search), Rc::clone(&chosen));
            move |selection| {
                let id = selection.selected_item().as_ref().and_then(item_id);
                // A search takes rows away, not guests: whoever is selected stays so behind it.
                if id.is_some() || search.borrow().is_empty() {
                    chosen.set(id);
                    tell(ListNews::Selected(id));
                }
            }
        });
        view.connect_activate(move |view, position| {
            let item = view.model().and_then(|model| model.item(position));
            if let Some(id) = item.as_ref().and_then(item_id) {
                tell(ListNews::Opened(id));
            }
        });
        Self {
            view,
            store,
            filter,
            sorter,
            found,
            shown,
            selection,
            items: HashMap::new(),
            in_sight,
            search,
            chosen,
        }
    }

    /// The widget.
    pub fn widget(&self) -> &gtk::ListView {
        &self.view
    }

    /// Shows exactly these rows; those that stay keep their place and selection.
    pub fn fill(&mut self, mut rows: Vec<Row>) {
        if self.items.is_empty() {
            rows.sort_by(Row::order);
            let items: Vec<_> = rows.into_iter().map(|row| (row.id, BoxedAnyObject::new(row))).collect();
            let objects: Vec<_> = items.iter().map(|(_, item)| item.clone()).collect();
            self.items = items.into_iter().collect();
            self.show_first_rows_first();
            self.store.extend_from_slice(&objects);
            return;
        }
        let stay: HashSet<_> = rows.iter().map(|row| row.id).collect();
        let gone: Vec<_> = self.items.keys().filter(|id| !stay.contains(id)).copied().collect();
        for id in gone {
            self.remove(id);
        }
        for row in rows {
            self.put(row);
        }
    }

    /// Lets the view know the first rows only until they are on the screen, and then more with each frame. It
    /// makes some 200 rows, whether or not they can be seen, and who opens the window would wait for them.
    fn show_first_rows_first(&self) {
        self.shown.set_size(FIRST_ROWS);
        let frames = Cell::new(0);
        let shown = self.shown.clone();
        self.view.add_tick_callback(move |_, _| {
            // A frame is told before it is drawn, so the third one comes after the first is seen.
            frames.set(frames.get() + 1);
            if frames.get() < 3 {
                return glib::ControlFlow::Continue;
            }
            let size = shown.size();
            if size >= ROWS_WITH_WIDGETS {
                shown.set_size(u32::MAX);
                return glib::ControlFlow::Break;
            }
            shown.set_size(size + FIRST_ROWS);
            glib::ControlFlow::Continue
        });
    }

    /// Shows this row, in place of the one of the same guest.
    pub fn put(&mut self, row: Row) {
        let id = row.id;
        let Some(item) = self.items.get(&id) else {
            let item = BoxedAnyObject::new(row);
            self.items.insert(id, item.clone());
            self.store.append(&item);
            return;
        };
        let moved = {
            let mut shown = item.borrow_mut::<Row>();
            if *shown == row {
                return;
            }
            let moved = shown.order(&row).is_ne();
            *shown = row;
            moved
        };
        if let Some(widgets) = self.in_sight.borrow().get(&id) {
            widgets.show(&item.borrow());
        }
        if moved {
            self.sorter.changed(gtk::SorterChange::Different);
        }
        if !self.search.borrow().is_empty() {
            self.filter.changed(gtk::FilterChange::Different);
        }
    }

    /// Takes a guest's row out.
    pub fn remove(&mut self, id: GuestId) {
        if let Some(item) = self.items.remove(&id)
            && let Some(position) = self.store.find(&item)
        {
            self.store.remove(position);
        }
    }

    /// Selects a guest's row and brings it into sight; `None` selects none.
    pub fn select(&self, id: Option<GuestId>) {
        self.chosen.set(id);
        if id.is_some() {
            self.shown.set_size(u32::MAX);
        }
        let position = id.and_then(|id| {
            (0..self.selection.n_items())
                .find(|position| self.selection.item(*position).as_ref().and_then(item_id) == Some(id))
        });
        let position = position.unwrap_or(gtk::INVALID_LIST_POSITION);
        if self.selection.selected() != position {
            self.selection.set_selected(position);
        }
        if position != gtk::INVALID_LIST_POSITION {
            let argument = position.to_variant();
            if let Err(error) = self.view.activate_action("list.scroll-to-item", Some(&argument)) {
                tracing::debug!(%error, "the list can't be scrolled to the selected guest");
            }
        }
    }

    /// Shows only what is found; everything for an empty search.
    pub fn search(&self, search: Search) {
        *self.search.borrow_mut() = search;
        self.filter.changed(gtk::FilterChange::Different);
        if self.selection.selected_item().is_none()
            && let Some(id) = self.chosen.get().filter(|id| self.items.contains_key(id))
        {
            self.select(Some(id));
        }
    }

    /// True where a search finds nothing.
    pub fn finds_nothing(&self) -> bool {
        self.found.n_items() == 0 && !self.search.borrow().is_empty()
    }
}

fn item_row(item: &glib::Object) -> Option<&BoxedAnyObject> {
    item.downcast_ref()
}

fn item_id(item: &glib::Object) -> Option<GuestId> {
    item_row(item).map(|row| row.borrow::<Row>().id)
}

fn factory(in_sight: &InSight, tell: &Rc<dyn Fn(ListNews)>) -> gtk::SignalListItemFactory {
    let factory = gtk::SignalListItemFactory::new();
    let tell = Rc::clone(tell);
    factory.connect_setup(move |_, item| {
        if let Some(item) = item.downcast_ref::<gtk::ListItem>() {
            // The list item owns its widgets; what is bound later finds them by this.
            item.set_child(Some(&RowWidgets::new(item, &tell).layout));
        }
    });
    factory.connect_bind({
        let in_sight = Rc::clone(in_sight);
        move |_, item| {
            let Some(item) = item.downcast_ref::<gtk::ListItem>() else { return };
            let Some(widgets) = RowWidgets::of(item) else { return };
            let Some(row) = item.item() else { return };
            if let Some(row) = item_row(&row) {
                let row = row.borrow::<Row>();
                widgets.show(&row);
                in_sight.borrow_mut().insert(row.id, widgets);
            }
        }
    });
    factory.connect_unbind({
        let in_sight = Rc::clone(in_sight);
        move |_, item| {
            let Some(item) = item.downcast_ref::<gtk::ListItem>() else { return };
            let Some(id) = item.item().as_ref().and_then(item_id) else { return };
            let mut in_sight = in_sight.borrow_mut();
            // While the list moves, the same guest may already be bound elsewhere.
            if in_sight.get(&id).is_some_and(|widgets| widgets.item.upgrade().as_ref() == Some(item)) {
                in_sight.remove(&id);
            }
        }
    });
    factory
}

impl RowWidgets {
    fn new(item: &gtk::ListItem, tell: &Rc<dyn Fn(ListNews)>) -> Self {
        let icon = gtk::Image::builder().accessible_role(gtk::AccessibleRole::Presentation).build();
        let name = gtk::Label::builder().xalign(0.0).ellipsize(gtk::pango::EllipsizeMode::End).build();
        let subtitle = gtk::Label::builder()
            .xalign(0.0)
            .ellipsize(gtk::pango::EllipsizeMode::End)
            .css_classes(["caption", "dim-label"])
            .build();
        let words = gtk::Box::builder()
            .orientation(gtk::Orientation::Vertical)
            .hexpand(true)
            .valign(gtk::Align::Center)
            .spacing(2)
            .build();
        words.append(&name);
        words.append(&subtitle);
        let layout = gtk::Box::builder().spacing(12).css_classes(["guest-row"]).build();
        layout.append(&icon);
        layout.append(&words);
        layout.connect_parent_notify({
            let item = item.downgrade();
            let tell = Rc::clone(tell);
            move |layout| {
                let Some(parent) = layout.parent() else { return };
                let (item, tell) = (item.clone(), Rc::clone(&tell));
                parent.connect_state_flags_changed(move |parent, _| give_button(parent, &item, &tell));
            }
        });
        Self { item: item.downgrade(), icon, name, subtitle, layout }
    }

    /// The widgets that [`Self::new`] made for a list item.
    fn of(item: &gtk::ListItem) -> Option<Self> {
        let layout = item.child()?;
        let icon = layout.first_child()?;
        let name = icon.next_sibling()?.first_child()?;
        Some(Self {
            item: item.downgrade(),
            subtitle: name.next_sibling()?.downcast().ok()?,
            name: name.downcast().ok()?,
            icon: icon.downcast().ok()?,
            layout: layout.downcast().ok()?,
        })
    }

    /// The button, where the row has been pointed at before.
    fn power(&self) -> Option<gtk::Button> {
        self.layout.last_child()?.downcast().ok()
    }

    fn show(&self, row: &Row) {
        self.icon.set_icon_name(Some(row.icon));
        self.icon.set_css_classes(&match row.state.map(state::style) {
            None | Some("") => vec!["dim-label"],
            Some(style) => vec![style],
        });
        self.name.set_label(&row.name);
        self.subtitle.set_label(&row.subtitle());
        if let Some(power) = self.power() {
            show_power(&power, row);
        }
        // GTK 4.8 has no way to name a list item but through the widget it made for it.
        if let Some(spoken) = self.icon.parent().and_then(|layout| layout.parent()) {
            spoken.update_property(&[gtk::accessible::Property::Label(&row.spoken())]);
        }
    }
}

/// A row has its button while somebody is at it, with the pointer or the keyboard; in a long list it is half of
/// what a row costs, and a column of equal buttons beside all rows says nothing.
const AT_IT: gtk::StateFlags = gtk::StateFlags::PRELIGHT
    .union(gtk::StateFlags::FOCUSED)
    .union(gtk::StateFlags::FOCUS_WITHIN)
    .union(gtk::StateFlags::SELECTED);

/// Shows the button of the row that somebody comes to, and hides that of the one they leave.
fn give_button(widget: &gtk::Widget, item: &glib::WeakRef<gtk::ListItem>, tell: &Rc<dyn Fn(ListNews)>) {
    let Some(widgets) = item.upgrade().as_ref().and_then(RowWidgets::of) else { return };
    let wanted = widget.state_flags().intersects(AT_IT);
    let power = match widgets.power() {
        Some(power) => power,
        None if wanted => {
            let power = power_button(item, tell);
            widgets.layout.append(&power);
            if let Some(object) = item.upgrade().and_then(|item| item.item())
                && let Some(row) = item_row(&object)
            {
                show_power(&power, &row.borrow());
            }
            power
        }
        None => return,
    };
    // Where it is not seen it keeps its place, so that the words beside it stand still.
    power.set_opacity(if wanted { 1.0 } else { 0.0 });
}

fn power_button(item: &glib::WeakRef<gtk::ListItem>, tell: &Rc<dyn Fn(ListNews)>) -> gtk::Button {
    let power = gtk::Button::builder()
        .valign(gtk::Align::Center)
        .css_classes(["flat", "circular", "row-power"])
        .build();
    let (item, tell) = (item.clone(), Rc::clone(tell));
    power.connect_clicked(move |_| {
        let Some(object) = item.upgrade().and_then(|item| item.item()) else { return };
        let wish = item_row(&object).and_then(|row| {
            let row = row.borrow::<Row>();
            Some((row.id, row.power?))
        });
        if let Some((id, power)) = wish {
            tell(ListNews::Power(id, power));
        }
    });
    power
}

fn show_power(button: &gtk::Button, row: &Row) {
    button.set_visible(row.power.is_some());
    if let Some(power) = row.power {
        button.set_icon_name(super::power::icon(power));
        let label = super::power::label(power);
        super::rename(button, &format!("{label} {}", row.name));
        button.set_tooltip_text(Some(&label));
    }
}

#[cfg(test)]
mod tests;
