//! How the windows are drawn, decided before the toolkit looks for itself.
//!
//! Where there is no graphics device, GL is a program that computes each pixel of a whole window for
//! every change in it. Drawing with cairo then touches what has changed only: a blinking cursor in a
//! guest costs a tenth, the start is faster, and more than half of the memory is saved.

use std::ffi::OsStr;
use std::path::Path;

/// What draws with GL in hardware: the kernel's render nodes, and NVIDIA's own driver beside them.
const RENDER_NODE: &str = "renderD";
const NVIDIA: &str = "/dev/nvidiactl";

/// Tells the toolkit to draw without GL where GL would be software. What somebody has set for
/// themselves stays.
///
/// To be called first of all: the environment belongs to the whole process.
pub fn choose() {
    if has_graphics_device() || set_by_hand() {
        return;
    }
    // The name has changed, and the toolkit complains of those that it does not know.
    let without_gl =
        if gtk::minor_version() < 16 { ("GDK_DEBUG", "gl-disable") } else { ("GDK_DISABLE", "gl,vulkan") };
    for (name, value) in [("GSK_RENDERER", "cairo"), without_gl] {
        #[expect(unsafe_code, reason = "the toolkit takes this from the environment only")]
        // SAFETY: called before anything else, so that no other thread reads the environment.
        unsafe {
            std::env::set_var(name, value);
        }
    }
}

fn has_graphics_device() -> bool {
    let nodes = std::fs::read_dir("/dev/dri").into_iter().flatten().flatten();
    nodes.map(|node| node.file_name()).any(|name| is_render_node(&name)) || Path::new(NVIDIA).exists()
}

fn is_render_node(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(RENDER_NODE.as_bytes())
}

fn set_by_hand() -> bool {
    ["GSK_RENDERER", "GDK_DEBUG", "GDK_DISABLE"].iter().any(|name| std::env::var_os(name).is_some())
}
