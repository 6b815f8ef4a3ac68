//! The guest's display as a widget: shows the core's picture, and gives keys and pointer to the guest.
//!
//! It owns the display channel from [`Framebuffer::attach`] on. It draws only when the core says that
//! something has changed, and at most once a frame; a guest whose picture stands still costs nothing.
//! What a chord of the host key means to the window, and what is shown when there is no picture, is
//! left to who listens to its news.

mod frame;
mod imp;
mod input;
pub mod keyboard;
mod link;
mod placement;
mod wheel;

#[cfg(test)]
mod tests;

use gtk::accessible::Property;
use gtk::glib;
use gtk::prelude::*;
use gtk::subclass::prelude::*;
use hv_api::display::Channel;
use keyboard::Chord;

glib::wrapper! {
    /// The widget. It has the role of an image; name it with [`Framebuffer::describe`].
    pub struct Framebuffer(ObjectSubclass<imp::Framebuffer>)
        @extends gtk::Widget,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget;
}

/// What the widget has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FramebufferNews {
    /// The guest's picture has this size from now on, in guest pixels.
    Picture {
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
    },
    /// The core has closed the channel; the widget is black.
    Closed,
    /// The whole keyboard belongs to the guest from now on, or no longer.
    Grabbed(bool),
    /// The user moves the pointer over a guest that takes movements only, so that its pointer may be
    /// elsewhere. Said once, until the guest changes its mind.
    MovementsOnly,
    /// The user gave a command to the window.
    Chord(Chord),
}

impl Default for Framebuffer {
    fn default() -> Self {
        glib::Object::new()
    }
}

impl Framebuffer {
    /// Has `listener` called with all news, in place of who was called before.
    pub fn listen(&self, listener: impl Fn(FramebufferNews) + 'static) {
        self.imp().set_listener(listener);
    }

    /// Shows what comes over this channel, in place of what was shown before.
    pub fn attach(&self, channel: Channel) {
        self.imp().attach(channel);
    }

    /// Closes the channel and forgets the picture.
    pub fn detach(&self) {
        self.imp().detach();
    }

    /// Whether there is a channel.
    pub fn is_attached(&self) -> bool {
        self.imp().is_attached()
    }

    /// Width and height of the guest's picture in guest pixels, where there is one.
    pub fn picture_size(&self) -> Option<(u32, u32)> {
        self.imp().picture_size()
    }

    /// Presses keys together and lets them go, by their codes in `input-event-codes.h`.
    pub fn send_combination(&self, codes: &[u16]) {
        self.imp().send_combination(codes);
    }

    /// Takes the whole keyboard, even the shortcuts of the host's desktop, or gives it back.
    pub fn set_grabbed(&self, grabbed: bool) {
        input::set_grabbed(self, grabbed);
    }

    /// Whether the whole keyboard belongs to the guest.
    pub fn is_grabbed(&self) -> bool {
        self.imp().grabbed.get()
    }

    /// Whether the guest is asked to make its picture as large as the widget. At first it is not.
    pub fn set_resizes_guest(&self, resizes: bool) {
        self.imp().set_resizes_guest(resizes);
    }

    /// Whether the picture is shown dark, as that of a guest that stands still.
    pub fn set_dimmed(&self, dimmed: bool) {
        self.imp().set_dimmed(dimmed);
    }

    /// Tells screen readers what this is.
    pub fn describe(&self, name: &str, description: &str) {
        self.update_property(&[Property::Label(name), Property::Description(description)]);
    }
}
