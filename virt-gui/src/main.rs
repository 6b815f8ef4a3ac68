//! The program `guesthouse`.

fn main() -> std::io::Result<()> {
    virt_gui::run()
}
