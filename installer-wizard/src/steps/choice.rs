//! A list in which one can search, whose names are cut where there is no room for them: the usual rows would make the
//! window as wide as the longest.

use adw::prelude::*;

/// The list, empty.
pub fn searchable() -> gtk::DropDown {
    let choice = gtk::DropDown::from_strings(&[]);
    let name =
        gtk::PropertyExpression::new(gtk::StringObject::static_type(), None::<gtk::Expression>, "string");
    choice.set_expression(Some(&name));
    choice.set_enable_search(true);
    choice.set_factory(Some(&rows()));
    choice
}

fn rows() -> gtk::SignalListItemFactory {
    let factory = gtk::SignalListItemFactory::new();
    factory.connect_setup(|_, item| {
        let Some(item) = item.downcast_ref::<gtk::ListItem>() else { return };
        let label = gtk::Label::builder().xalign(0.0).ellipsize(gtk::pango::EllipsizeMode::End).build();
        let chosen = gtk::Image::from_icon_name("object-select-symbolic");
        let line = gtk::Box::builder().spacing(6).build();
        line.append(&label);
        line.append(&chosen);
        item.set_child(Some(&line));
        item.bind_property("selected", &chosen, "visible").sync_create().build();
    });
    factory.connect_bind(|_, item| {
        let Some(item) = item.downcast_ref::<gtk::ListItem>() else { return };
        let label = item.child().and_then(|line| line.first_child()).and_downcast::<gtk::Label>();
        let name = item.item().and_downcast::<gtk::StringObject>();
        if let (Some(label), Some(name)) = (label, name) {
            label.set_label(&name.string());
        }
    });
    factory
}
