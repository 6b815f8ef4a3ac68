//! The terminal with a guest played by the test.

use super::*;
use crate::testing::{until, with_display};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Instant;

/// A terminal in a window, and the guest's end of its serial port.
fn stage() -> (gtk::Window, SerialTerminal, UnixStream) {
    let terminal = SerialTerminal::default();
    let window =
        gtk::Window::builder().default_width(700).default_height(400).child(terminal.widget()).build();
    window.present();
    let (guest, end) = UnixStream::pair().unwrap();
    terminal.attach(end.into()).unwrap();
    guest.set_nonblocking(true).unwrap();
    (window, terminal, guest)
}

fn type_in(terminal: &SerialTerminal, text: &str) {
    terminal.0.terminal.emit_by_name::<()>("commit", &[&text, &(text.len() as u32)]);
}

fn wait_for_bytes(guest: &UnixStream, wanted: &[u8]) {
    let arrived = RefCell::new(Vec::new());
    until("the guest reads what was typed", || {
        let mut bytes = [0; 1024];
        if let Ok(length) = { guest }.read(&mut bytes) {
            arrived.borrow_mut().extend_from_slice(&bytes[..length]);
        }
        arrived.borrow().len() >= wanted.len()
    });
    assert_eq!(*arrived.borrow(), wanted);
}

#[test]
fn the_guests_words_are_shown_and_typed_ones_reach_it() {
    with_display(|| {
        let (window, terminal, mut guest) = stage();
        assert!(terminal.0.hint.is_visible());
        guest.write_all("login: \x1b[1;32mgrün\x1b[0m".as_bytes()).unwrap();
        until("the text is shown", || terminal.last_lines().contains("login: grün"));
        assert!(!terminal.0.hint.is_visible());
        type_in(&terminal, "é\r");
        wait_for_bytes(&guest, "é\r".as_bytes());
        window.destroy();
    });
}

#[test]
fn bytes_that_are_no_text_are_typed_as_they_are() {
    with_display(|| {
        let terminal = vte4::Terminal::new();
        let commit = |bytes: &CStr, length: u32| {
            let mut text = glib::Value::from_type(glib::Type::STRING);
            #[expect(unsafe_code, reason = "no safe way makes a string that is not UTF-8")]
            // SAFETY: the value is for a string, which it copies.
            unsafe {
                use glib::translate::ToGlibPtrMut;
                glib::gobject_ffi::g_value_set_string(text.to_glib_none_mut().0, bytes.as_ptr());
            }
            typed(&[terminal.to_value(), text, length.to_value()])
        };
        assert_eq!(commit(c"\x1b[M \xf0!", 6), Some(b"\x1b[M \xf0!".to_vec()));
        assert_eq!(commit(c"", 1), Some(vec![0]), "Ctrl+Space");
        assert_eq!(commit(c"a", 1), Some(b"a".to_vec()));
        assert_eq!(typed(&[]), None);
    });
}

#[test]
fn what_the_guest_once_asked_is_not_answered_again() {
    with_display(|| {
        let (window, terminal, mut guest) = stage();
        // The guest asked for the cursor's place when it booted.
        guest.write_all(b"\x1b[6nbooted").unwrap();
        until("the past is through", || !terminal.0.replaying.get());
        let mut bytes = [0; 64];
        assert_eq!({ &guest }.read(&mut bytes).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        guest.write_all(b"\x1b[6n").unwrap();
        wait_for_bytes(&guest, b"\x1b[1;7R");
        window.destroy();
    });
}

#[test]
fn a_guest_that_writes_without_end_leaves_the_window_alive() {
    with_display(|| {
        let (window, terminal, guest) = stage();
        guest.set_nonblocking(false).unwrap();
        guest.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
        let writer = std::thread::spawn(move || {
            let mut guest = guest;
            let line = "0123456789 abcdefghijklmnopqrstuvwxyz\r\n".repeat(1000);
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_secs(2) {
                // A full socket is what is hoped for.
                drop(guest.write(line.as_bytes()));
            }
            guest.write_all(b"\r\nthe end\r\n")
        });
        let longest = Rc::new(Cell::new(Duration::ZERO));
        let last = Rc::new(Cell::new(Instant::now()));
        let gap = Rc::clone(&longest);
        let pulse = glib::timeout_add_local(Duration::from_millis(5), move || {
            let now = Instant::now();
            gap.set(gap.get().max(now - last.replace(now)));
            glib::ControlFlow::Continue
        });
        until("the writer is done", || writer.is_finished());
        writer.join().unwrap().unwrap();
        until("all is shown", || terminal.last_lines().contains("the end"));
        pulse.remove();
        // Optimised code takes some tens of milliseconds; this is for busy machines.
        assert!(longest.get() < Duration::from_secs(1), "the window stood still for {:?}", longest.get());
        window.destroy();
    });
}

#[test]
fn a_closed_port_is_reported_and_its_text_stays_until_the_next() {
    with_display(|| {
        let (window, terminal, mut guest) = stage();
        let closed = Rc::new(Cell::new(0));
        let count = Rc::clone(&closed);
        terminal.on_closed(move || count.set(count.get() + 1));
        guest.write_all(b"last words").unwrap();
        drop(guest);
        until("the end is seen", || closed.get() == 1);
        assert!(!terminal.is_attached());
        until("the text is still there", || terminal.last_lines().contains("last words"));
        let (mut guest, end) = UnixStream::pair().unwrap();
        terminal.attach(end.into()).unwrap();
        guest.write_all(b"anew").unwrap();
        until("the new text is shown", || terminal.last_lines().contains("anew"));
        assert!(!terminal.last_lines().contains("last words"), "it would be there twice");
        assert_eq!(closed.get(), 1);
        window.destroy();
    });
}

#[test]
fn typing_more_than_the_guest_reads_is_bounded() {
    with_display(|| {
        let (window, terminal, guest) = stage();
        let text = "x".repeat(60_000);
        for _ in 0..100 {
            type_in(&terminal, &text);
        }
        let mut arrived = 0;
        let total = RefCell::new(&mut arrived);
        until("the guest has read all that was kept", || {
            let mut bytes = [0; 8192];
            match { &guest }.read(&mut bytes) {
                Ok(length) => {
                    **total.borrow_mut() += length;
                    false
                }
                Err(_) => {
                    **total.borrow() > 0 && terminal.0.port.borrow().as_ref().is_some_and(Port::is_idle)
                }
            }
        });
        assert!((60_000..2_000_000).contains(&arrived), "{arrived}");
        window.destroy();
    });
}

#[test]
fn letters_grow_and_shrink_within_bounds() {
    with_display(|| {
        let terminal = SerialTerminal::default();
        terminal.zoom(Some(1));
        assert!(terminal.0.terminal.font_scale() > 1.1);
        for _ in 0..50 {
            terminal.zoom(Some(1));
        }
        assert!(terminal.0.terminal.font_scale() <= LARGEST_FONT);
        terminal.zoom(None);
        assert!((terminal.0.terminal.font_scale() - 1.0).abs() < f64::EPSILON);
    });
}

#[test]
fn the_last_words_are_short_and_have_no_empty_lines() {
    assert_eq!(last_words("a  \n\n  b \n \n"), "a\n  b");
    assert_eq!(last_words(""), "");
    let long = "é".repeat(500) + "end";
    let told = last_words(&long);
    assert_eq!(told.chars().count(), TOLD_LIMIT);
    assert!(told.ends_with("end"));
}
