//! GRUB 2: works its configuration through, as far as it decides what the menu has and which entry is the default.
//!
//! Nothing runs away: each command counts, files that take other files in do so a few levels deep, and there are no
//! loops. Commands that change nothing of the menu are taken as done.

use super::bls;
use super::environment;
use super::script::{self, Node, Piece, Word};
use std::collections::BTreeMap;
use std::rc::Rc;

/// The longest configuration that is read.
pub const LONGEST: u64 = 1 << 20;

/// The most commands of one configuration, with those of all its entries.
const MOST_STEPS: u32 = 100_000;

/// How deep functions, files and menus may be within others.
const DEEPEST: usize = 8;

/// The most entries.
const MOST_ENTRIES: usize = 300;

/// The longest value of a variable.
const LONGEST_VALUE: usize = 16 << 10;

/// A file system, by its position among those of the disk.
pub type Device = usize;

/// What a configuration can ask of the disk.
pub trait World {
    /// The file system of this name, as `hd0,gpt2`.
    fn device(&self, name: &str) -> Option<Device>;
    /// What a file system is called, so that it is found again by that.
    fn name(&self, device: Device) -> String;
    /// The file system with this UUID, label or file.
    fn search(&self, by: By, value: &str) -> Option<Device>;
    /// A file's content.
    fn read(&self, device: Device, path: &str, most: u64) -> Option<Vec<u8>>;
    /// Whether there is such a file.
    fn has_file(&self, device: Device, path: &str) -> bool;
    /// The names in a folder.
    fn names(&self, device: Device, path: &str) -> Vec<String>;
}

/// By what a file system is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Uuid,
    Label,
    File,
}

/// A file on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file system.
    pub device: Device,
    /// The path in it.
    pub path: String,
}

/// One entry, out of all menus.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Item {
    /// Its title, behind those of the menus that it is in.
    pub title: String,
    /// By what GRUB remembers it.
    pub id: String,
    /// By its position in the menus: `1>2`.
    pub position: String,
    /// The kernel; nothing where it starts none.
    pub kernel: Option<Place>,
    /// What goes with it.
    pub initrds: Vec<Place>,
    /// Its command line.
    pub append: String,
}

/// What a configuration comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Menu {
    /// All entries.
    pub items: Vec<Item>,
    /// Which of them is the default.
    pub default: Option<usize>,
    /// The environment block that was read.
    pub environment: Option<Place>,
    /// Configurations that were worked through.
    pub files: Vec<Place>,
}

/// Works a configuration through.
pub fn read(world: &dyn World, config: &Place, text: &str, uefi: bool) -> Menu {
    let mut run = Run {
        world,
        home: config.device,
        variables: BTreeMap::new(),
        functions: BTreeMap::new(),
        steps: 0,
        menu: Vec::new(),
        entries: 0,
        started: Item::default(),
        hypervisor: false,
        environment: None,
        files: Vec::new(),
    };
    let folder = config.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let root = world.name(config.device);
    let platform = if uefi { "efi" } else { "pc" };
    for (name, value) in [
        ("prefix", format!("({root}){folder}")),
        ("root", root),
        ("grub_platform", platform.to_owned()),
        ("grub_cpu", if uefi { "x86_64" } else { "i386" }.to_owned()),
    ] {
        run.variables.insert(name.to_owned(), value);
    }
    for feature in ["default_font_path", "timeout_style", "menuentry_id", "platform_search_hint", "200_final"]
    {
        run.variables.insert(format!("feature_{feature}"), "y".to_owned());
    }
    run.file(config, text, 0);
    let menu = std::mem::take(&mut run.menu);
    let mut made = Made::default();
    let wanted = run.value("default");
    run.flatten(&menu, &Above::default(), &mut made, 0);
    let default = position(&made.tree, &wanted).or_else(|| first(&made.tree));
    Menu { items: made.items, default, environment: run.environment, files: run.files }
}

/// An entry of a menu that was not looked into yet.
#[derive(Debug, Clone)]
enum Line {
    /// One with commands, or a menu of such.
    Script { submenu: bool, title: String, id: String, arguments: Vec<String>, body: Rc<Vec<Node>> },
    /// One that a file of its own describes.
    Described(Item),
}

/// The menus above an entry.
#[derive(Debug, Clone, Default)]
struct Above {
    title: String,
    id: String,
    position: String,
}

/// Menus with their entries.
#[derive(Debug, Default)]
struct Made {
    items: Vec<Item>,
    tree: Vec<Branch>,
}

#[derive(Debug)]
struct Branch {
    title: String,
    id: String,
    of: Result<usize, Vec<Branch>>,
}

/// The first entry of a menu, and of the menus in it.
fn first(menu: &[Branch]) -> Option<usize> {
    match &menu.first()?.of {
        Ok(item) => Some(*item),
        Err(below) => first(below),
    }
}

/// The entry that is called this: by its position, title or id, behind those of the menus that it is in.
fn position(menu: &[Branch], name: &str) -> Option<usize> {
    let of = |branch: &Branch, rest: Option<&str>| match (&branch.of, rest) {
        (Ok(item), None) => Some(*item),
        (Ok(_), Some(_)) => None,
        (Err(below), None) => first(below),
        (Err(below), Some(rest)) => position(below, rest).or_else(|| first(below)),
    };
    let called = |name: &str| {
        menu.iter().find(|branch| branch.title == name || (!branch.id.is_empty() && branch.id == name))
    };
    if let Some(branch) = called(name) {
        return of(branch, None);
    }
    let (head, rest) = name.split_once('>').map_or((name, None), |(head, rest)| (head, Some(rest)));
    let numbered = || head.trim().parse::<usize>().ok().and_then(|number| menu.get(number));
    called(head).or_else(numbered).and_then(|branch| of(branch, rest))
}

/// A configuration that is worked through.
struct Run<'w> {
    world: &'w dyn World,
    home: Device,
    variables: BTreeMap<String, String>,
    functions: BTreeMap<String, Rc<Vec<Node>>>,
    steps: u32,
    menu: Vec<Line>,
    entries: usize,
    /// What the entry that is looked into starts.
    started: Item,
    hypervisor: bool,
    environment: Option<Place>,
    files: Vec<Place>,
}

impl Run<'_> {
    fn value(&self, name: &str) -> String {
        self.variables.get(name).cloned().unwrap_or_default()
    }

    fn set(&mut self, name: &str, value: &str) {
        if value.len() <= LONGEST_VALUE && self.variables.len() < 4096 {
            self.variables.insert(name.to_owned(), value.to_owned());
        }
    }

    fn file(&mut self, place: &Place, text: &str, depth: usize) {
        if !self.files.contains(place) {
            self.files.push(place.clone());
        }
        self.run(&script::parse(text), depth);
    }

    /// Looks into all entries.
    fn flatten(&mut self, menu: &[Line], above: &Above, made: &mut Made, depth: usize) {
        for (number, line) in menu.iter().enumerate() {
            if made.items.len() >= MOST_ENTRIES {
                return;
            }
            let below = |title: &str, id: &str| {
                let join = |above: &str, name: &str, with: &str| {
                    if above.is_empty() { name.to_owned() } else { format!("{above}{with}{name}") }
                };
                Above {
                    title: join(&above.title, title, " › "),
                    id: if id.is_empty() { String::new() } else { join(&above.id, id, ">") },
                    position: join(&above.position, &number.to_string(), ">"),
                }
            };
            match line {
                Line::Described(item) => {
                    let Above { title, id, position } = below(&item.title, &item.id);
                    let of = Ok(made.items.len());
                    made.tree.push(Branch { title: item.title.clone(), id: item.id.clone(), of });
                    made.items.push(Item { title, id, position, ..item.clone() });
                }
                Line::Script { submenu, title, id, arguments, body } => {
                    let kept = self.variables.clone();
                    for (number, argument) in (1..).zip(arguments) {
                        self.set(&number.to_string(), argument);
                    }
                    let names = below(title, if id.is_empty() { title } else { id });
                    self.started = Item::default();
                    self.hypervisor = false;
                    let outer = std::mem::take(&mut self.menu);
                    if depth < DEEPEST {
                        self.run(body, depth);
                    }
                    let inner = std::mem::replace(&mut self.menu, outer);
                    let (title, id) = (title.clone(), id.clone());
                    if *submenu {
                        let mut branch = Made { items: std::mem::take(&mut made.items), tree: Vec::new() };
                        if depth < DEEPEST {
                            self.flatten(&inner, &names, &mut branch, depth + 1);
                        }
                        made.items = branch.items;
                        made.tree.push(Branch { title, id, of: Err(branch.tree) });
                    } else {
                        let of = Ok(made.items.len());
                        made.tree.push(Branch { title, id, of });
                        let Above { title, id, position } = names;
                        let started = std::mem::take(&mut self.started);
                        made.items.push(Item { title, id, position, ..started });
                    }
                    self.variables = kept;
                }
            }
        }
    }

    /// Does these, and says whether the last succeeded.
    fn run(&mut self, nodes: &[Node], depth: usize) -> bool {
        let mut done = true;
        for node in nodes {
            self.steps += 1;
            if self.steps > MOST_STEPS {
                return false;
            }
            match node {
                Node::Command(words) => {
                    let words = self.expanded(words);
                    match words.split_first() {
                        Some((command, _)) if command == "return" => return done,
                        Some((command, arguments)) => done = self.command(command, arguments, depth),
                        None => {}
                    }
                }
                Node::If(cases, otherwise) => {
                    let mut body = otherwise;
                    for (condition, then) in cases {
                        if self.run(condition, depth) {
                            body = then;
                            break;
                        }
                    }
                    done = self.run(body, depth);
                }
                Node::Function(name, body) => {
                    self.functions.insert(name.clone(), Rc::clone(body));
                }
                Node::Entry { submenu, words, body } => self.entry(*submenu, words, body),
            }
        }
        done
    }

    fn entry(&mut self, submenu: bool, words: &[Word], body: &Rc<Vec<Node>>) {
        let mut words = self.expanded(words).into_iter();
        let (mut title, mut id, mut arguments) = (None, String::new(), Vec::new());
        while let Some(word) = words.next() {
            match &*word {
                "--id" => id = words.next().unwrap_or_default(),
                "--class" | "--users" | "--hotkey" | "--source" => drop(words.next()),
                "--unrestricted" => {}
                other if other.starts_with("--") => {
                    if let Some(value) = other.strip_prefix("--id=") {
                        value.clone_into(&mut id);
                    }
                }
                _ if title.is_none() => title = Some(word),
                _ => arguments.push(word),
            }
        }
        if self.entries < MOST_ENTRIES {
            self.entries += 1;
            let (title, body) = (title.unwrap_or_default(), Rc::clone(body));
            self.menu.push(Line::Script { submenu, title, id, arguments, body });
        }
    }

    /// Words with the values of their variables. Outside of quotes, a value may be several words, or none.
    fn expanded(&self, words: &[Word]) -> Vec<String> {
        let mut made = Vec::new();
        let mut length = 0;
        for word in words {
            let mut one: Option<String> = None;
            for piece in word {
                match piece {
                    Piece::Text(text) => one.get_or_insert_default().push_str(text),
                    Piece::Variable { name, quoted: true } => {
                        one.get_or_insert_default()
                            .push_str(self.variables.get(name).map_or("", String::as_str));
                    }
                    Piece::Variable { name, quoted: false } => {
                        let value = self.variables.get(name).map_or("", String::as_str);
                        if value.starts_with(char::is_whitespace) {
                            made.extend(one.take());
                        }
                        let mut parts = value.split_whitespace().peekable();
                        while let Some(part) = parts.next() {
                            one.get_or_insert_default().push_str(part);
                            if parts.peek().is_some() || value.ends_with(char::is_whitespace) {
                                made.extend(one.take());
                            }
                        }
                    }
                }
                length += one.as_ref().map_or(0, String::len);
                // A value that holds itself again and again.
                if length > 4 * LONGEST_VALUE || made.len() > 4096 {
                    return made;
                }
            }
            made.extend(one);
        }
        made
    }

    fn command(&mut self, command: &str, arguments: &[String], depth: usize) -> bool {
        let first = arguments.iter().find(|word| !word.starts_with("--")).map(String::as_str);
        match command {
            "set" => {
                if let Some((name, value)) = arguments.first().and_then(|word| word.split_once('=')) {
                    self.set(name, value);
                }
                true
            }
            "unset" => {
                for name in arguments {
                    self.variables.remove(name);
                }
                true
            }
            "[" => self.test(arguments.strip_suffix(&["]".to_owned()][..]).unwrap_or(arguments)),
            "test" => self.test(arguments),
            "false" | "keystatus" | "sleep" | "cpuid" | "regexp" | "authenticate" => false,
            "load_env" => self.load_environment(arguments),
            "search" | "search.fs_uuid" | "search.fs_label" | "search.file" => {
                self.search(command, arguments)
            }
            "linux" | "linuxefi" | "linux16" | "linux32" => {
                self.started.kernel = first.and_then(|path| self.place(path));
                self.started.append = after(arguments, first);
                self.started.initrds.clear();
                true
            }
            "initrd" | "initrdefi" | "initrd16" => {
                let files = arguments.iter().filter(|word| !word.starts_with("--"));
                let places: Vec<Place> = files.filter_map(|path| self.place(path)).collect();
                self.started.initrds.extend(places);
                true
            }
            "multiboot" | "multiboot2" | "xen_hypervisor" => {
                // Xen itself; what is to be started under it are modules.
                self.hypervisor = true;
                self.started.kernel = None;
                true
            }
            "module" | "module2" | "xen_module" if self.hypervisor => {
                let place = first.and_then(|path| self.place(path));
                if self.started.kernel.is_none() {
                    self.started.kernel = place;
                    // GRUB passes some words twice, first of all to the hypervisor's own list.
                    self.started.append = after(arguments, first);
                } else {
                    self.started.initrds.extend(place);
                }
                true
            }
            "blscfg" => self.described(first),
            "configfile" | "source" | "." | "normal" | "extract_entries_configfile" => {
                let Some(place) = first.and_then(|path| self.place(path)) else { return false };
                let text = self.world.read(place.device, &place.path, LONGEST);
                let Some(text) = text.filter(|_| depth < DEEPEST) else { return false };
                if command == "configfile" || command == "normal" {
                    // It begins anew, with a menu of its own.
                    self.menu.clear();
                    self.home = place.device;
                }
                self.file(&place, &String::from_utf8_lossy(&text), depth + 1);
                true
            }
            _ => {
                let function = self.functions.get(command).cloned();
                match function {
                    Some(body) if depth < DEEPEST => self.run(&body, depth + 1),
                    Some(_) => false,
                    None => {
                        let is_name = |name: &str| {
                            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                        };
                        if let Some((name, value)) = command.split_once('=').filter(|(name, _)| is_name(name))
                        {
                            self.set(name, value);
                        }
                        true
                    }
                }
            }
        }
    }

    /// The file that a path names: with its device, or on `root`.
    fn place(&self, path: &str) -> Option<Place> {
        if let Some((name, path)) = path.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
            let device = self.world.device(name).unwrap_or(self.home);
            return Some(Place { device, path: path.to_owned() });
        }
        let device = self.world.device(&self.value("root")).unwrap_or(self.home);
        path.starts_with('/').then(|| Place { device, path: path.to_owned() })
    }

    fn load_environment(&mut self, arguments: &[String]) -> bool {
        let mut words = arguments.iter();
        let (mut file, mut wanted) = (None, Vec::new());
        while let Some(word) = words.next() {
            match word.as_str() {
                "-f" | "--file" => file = words.next().cloned(),
                other if other.starts_with("--file=") => {
                    file = other.strip_prefix("--file=").map(str::to_owned);
                }
                other if other.starts_with('-') => {}
                other => wanted.push(other.to_owned()),
            }
        }
        let file = file.unwrap_or_else(|| format!("{}/grubenv", self.value("prefix")));
        let Some(place) = self.place(&file) else { return false };
        let Some(block) = self.world.read(place.device, &place.path, environment::LONGEST) else {
            return false;
        };
        for (name, value) in environment::read(&block) {
            // What is to be started only once is for GRUB itself, which strikes it out when it does.
            if name != "next_entry" && (wanted.is_empty() || wanted.contains(&name)) {
                self.set(&name, &value);
            }
        }
        self.environment.get_or_insert(place);
        true
    }

    fn search(&mut self, command: &str, arguments: &[String]) -> bool {
        let mut by = match command {
            "search.fs_label" => By::Label,
            "search.fs_uuid" => By::Uuid,
            _ => By::File,
        };
        let (mut variable, mut value) = ("root".to_owned(), None);
        let mut words = arguments.iter().peekable();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--fs-uuid" | "-u" => by = By::Uuid,
                "--label" | "--fs-label" | "-l" => by = By::Label,
                "--file" | "-f" => by = By::File,
                "--set" | "-s" => {
                    // Without a name, it is `root`.
                    if let Some(name) = words.next_if(|name| !name.starts_with('-')) {
                        variable.clone_from(name);
                    }
                }
                "--hint" => drop(words.next()),
                other if other.starts_with("--set=") => other[6..].clone_into(&mut variable),
                other if other.starts_with('-') => {}
                // What comes after the value are hints, or for the forms with a dot, the variable.
                other if value.is_none() => value = Some(other.to_owned()),
                other if command != "search" => other.clone_into(&mut variable),
                _ => {}
            }
        }
        // `--set` took the value for its name, where that came last.
        let value = value.unwrap_or_else(|| std::mem::replace(&mut variable, "root".to_owned()));
        match self.world.search(by, &value) {
            Some(device) => {
                let name = self.world.name(device);
                self.set(&variable, &name);
                true
            }
            None => false,
        }
    }

    /// Entries that are files.
    fn described(&mut self, path: Option<&str>) -> bool {
        let set = Some(self.value("blsdir")).filter(|folder| !folder.is_empty());
        let named = path.map(str::to_owned).or(set);
        let usual = ["/loader/entries".to_owned(), "/boot/loader/entries".to_owned()];
        let folders = named.map_or_else(|| usual.to_vec(), |folder| vec![folder]);
        let root = self.world.device(&self.value("root"));
        let mut found = Vec::new();
        for device in root.into_iter().chain([self.home]) {
            for folder in &folders {
                if found.is_empty() {
                    found = entries(self.world, device, folder);
                }
            }
        }
        found.sort_by(|(_, one), (_, other)| bls::grub_order(one, other));
        for (place, entry) in found {
            if self.entries >= MOST_ENTRIES {
                return true;
            }
            self.entries += 1;
            let value = |name: &str| self.variables.get(name).cloned();
            let file = |path: &str| Place { device: place.device, path: path.to_owned() };
            let initrds =
                entry.initrds.iter().map(|path| bls::expanded(path, value)).filter(|path| !path.is_empty());
            let item = Item {
                kernel: Some(entry.linux).filter(|path| !path.is_empty()).map(|path| file(&path)),
                initrds: initrds.map(|path| file(&path)).collect(),
                append: bls::expanded(&entry.options, value),
                title: entry.title,
                id: entry.id,
                position: String::new(),
            };
            self.menu.push(Line::Described(item));
        }
        true
    }

    fn test(&self, arguments: &[String]) -> bool {
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let is_any = |part: &[&str]| part.split(|word| *word == "-a").all(|part| self.holds(part));
        words.split(|word| *word == "-o").any(is_any)
    }

    fn holds(&self, words: &[&str]) -> bool {
        let file =
            |path: &str| self.place(path).is_some_and(|place| self.world.has_file(place.device, &place.path));
        let numbers = |a: &str, b: &str| a.parse::<i64>().ok().zip(b.parse::<i64>().ok());
        match words {
            ["!", rest @ ..] => !self.holds(rest),
            // Where a variable without a value stood, there is no word at all.
            ["-z"] => true,
            [] | ["-n" | "!=" | "=" | "=="] => false,
            [word] | ["-n" | "!=", word] | [word, "!="] => !word.is_empty(),
            ["-z" | "=" | "==", word] | [word, "=" | "=="] => word.is_empty(),
            ["-f" | "-e" | "-s", path] => file(path),
            ["-d", path] => {
                self.place(path).is_some_and(|place| !self.world.names(place.device, &place.path).is_empty())
            }
            [a, "=" | "==", b] => a == b,
            [a, "!=", b] => a != b,
            [a, "-eq", b] => numbers(a, b).is_some_and(|(a, b)| a == b),
            [a, "-ne", b] => numbers(a, b).is_some_and(|(a, b)| a != b),
            [a, "-lt", b] => numbers(a, b).is_some_and(|(a, b)| a < b),
            [a, "-le", b] => numbers(a, b).is_some_and(|(a, b)| a <= b),
            [a, "-gt", b] => numbers(a, b).is_some_and(|(a, b)| a > b),
            [a, "-ge", b] => numbers(a, b).is_some_and(|(a, b)| a >= b),
            _ => false,
        }
    }
}

/// What is said behind a word.
fn after(arguments: &[String], word: Option<&str>) -> String {
    let start = arguments.iter().position(|other| Some(other.as_str()) == word).map_or(0, |place| place + 1);
    arguments.get(start..).unwrap_or_default().join(" ")
}

/// The entries that are files in this folder.
pub fn entries(world: &dyn World, device: Device, folder: &str) -> Vec<(Place, bls::Entry)> {
    let names = world
        .names(device, folder)
        .into_iter()
        .filter(|name| name.strip_suffix(".conf").is_some())
        .take(MOST_ENTRIES);
    let read = names.filter_map(|name| {
        let path = format!("{}/{name}", folder.trim_end_matches('/'));
        let text = world.read(device, &path, bls::LONGEST)?;
        Some((Place { device, path }, bls::read(&name, &String::from_utf8_lossy(&text))))
    });
    read.collect()
}

#[cfg(test)]
mod tests;
