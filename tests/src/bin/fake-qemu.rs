//! A program that takes QEMU's command line, serves QMP and serial ports on the sockets that it is given,
//! and misbehaves as its script says. It runs no guest.
//!
//! It is started by a link named as QEMU is; the script lies beside that link.

use hv_tests::{Reaction, Script};
use serde_json::{Value, json};
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::exit;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn main() {
    let mut words = std::env::args();
    let program = words.next().expect("the path it was started by");
    let words: Vec<String> = words.collect();
    let script = Path::new(&program).parent().map(Script::path).expect("a folder");
    let script: Script = serde_json::from_slice(&fs::read(script).expect("a script")).expect("JSON");
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--version"] => return say("QEMU emulator version 7.2.22 (pretended)"),
        ["-device", "help"] => return say("name \"usb-host\", bus usb-bus\nname \"vfio-pci\", bus PCI"),
        ["-machine", "help"] => return say("q35   Standard PC (Q35 + ICH9, 2009) (alias of pc-q35-7.2)"),
        _ => {}
    }
    match script.reactions.get("start") {
        Some(Reaction::Die(words, code)) => die(words, *code),
        Some(Reaction::Delay(milliseconds)) => thread::sleep(Duration::from_millis(*milliseconds)),
        Some(other) => die(&format!("{other:?} is no way to start"), 9),
        None => {}
    }

    let mut monitor = None;
    let listens = |word: &&String| word.starts_with("socket,id=") && word.contains(",server=on");
    for value in words.iter().filter(listens) {
        let listener = listener(&option(value, "fd").expect("a socket"));
        match option(value, "logfile") {
            None if option(value, "id").as_deref() == Some("agent0") => {
                let device = |word: &String| serde_json::from_str::<Value>(word).ok();
                let mac = words.iter().find_map(|word| device(word)?["mac"].as_str().map(str::to_owned));
                let mac = mac.unwrap_or_default();
                thread::spawn(move || serve_agent(&listener, &mac));
            }
            None => monitor = Some(listener),
            Some(log) => {
                let log = OpenOptions::new().append(true).create(true).open(log).expect("a log");
                if option(value, "id").as_deref() == Some("ser0") {
                    (&log).write_all(script.serial.as_bytes()).expect("a log");
                }
                thread::spawn(move || serve_serial(&listener, &log));
            }
        }
    }
    let uuid = words.iter().skip_while(|word| *word != "-uuid").nth(1).expect("an id").clone();
    let number = |flag: &str, name: &str| {
        let list = words.iter().skip_while(|word| *word != flag).nth(1).expect("a list");
        option(list, name).map(|text| text.trim_end_matches('M').parse::<u64>().expect("a number"))
    };
    let memory = number("-m", "size").expect("memory") << 20;
    let cpus = number("-smp", "cpus").expect("CPUs");
    let places = number("-smp", "maxcpus").unwrap_or(cpus);
    let machine = Machine {
        polling: 0,
        script,
        uuid,
        status: "prelaunch",
        memory,
        modules: Vec::new(),
        balloon: memory,
        cpus,
        places,
    };
    serve(machine, &monitor.expect("a monitor"));
}

fn serve(mut machine: Machine, monitor: &UnixListener) {
    // One client at a time, as QEMU does.
    for client in monitor.incoming() {
        machine.serve(&client.expect("a client"));
    }
}

/// The value of a name in one of QEMU's `a=b,c=d` lists, in which a comma is written twice.
fn option(list: &str, name: &str) -> Option<String> {
    let list = list.replace(",,", "\0");
    let found = list.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    found.map(|value| value.replace('\0', ","))
}

fn listener(number: &str) -> UnixListener {
    let number = number.parse().expect("a number");
    // SAFETY: the command line says that this descriptor was passed on to this process, which nothing else
    // in it has touched.
    #[expect(unsafe_code, reason = "a descriptor that was inherited is a number at first")]
    let socket = unsafe { OwnedFd::from_raw_fd(number) };
    // Whoever listened last is whom clients see at this end.
    rustix::net::listen(socket.as_fd(), 4).expect("a socket that listens");
    socket.into()
}

/// An agent that knows the time of day and its network card, and nothing else.
fn serve_agent(listener: &UnixListener, mac: &str) {
    for client in listener.incoming() {
        let client = client.expect("a client");
        let mut lines = BufReader::new(&client);
        let mut line = Vec::new();
        while matches!(lines.read_until(b'\n', &mut line), Ok(1..)) {
            let (mark, question) = match line.split_first() {
                Some((0xff, question)) => (&b"\xff"[..], question),
                _ => (&b""[..], &line[..]),
            };
            let question: Value = serde_json::from_slice(question).expect("a question in JSON");
            let answer = match question["execute"].as_str().expect("a question") {
                "guest-sync-delimited" => json!({"return": question["arguments"]["id"]}),
                "guest-set-time" => json!({"return": {}}),
                "guest-network-get-interfaces" => json!({"return": [
                    {"name": "br0", "hardware-address": "02:00:00:00:00:01", "ip-addresses": [],
                     "statistics": {"rx-bytes": 1, "tx-bytes": 1, "rx-packets": 1, "tx-packets": 1}},
                    {"name": "eth0", "hardware-address": mac.to_uppercase(), "ip-addresses": [
                        {"ip-address": "10.0.2.15"}, {"ip-address": "no address"}],
                     "statistics": {"rx-bytes": 100, "tx-bytes": 50, "rx-packets": 2, "tx-packets": 1}}]}),
                other => json!({"error": {"class": "CommandNotFound", "desc": format!("{other}?")}}),
            };
            line.clear();
            let words = [mark, answer.to_string().as_bytes(), b"\n"].concat();
            if (&client).write_all(&words).is_err() {
                break;
            }
        }
    }
}

fn serve_serial(listener: &UnixListener, log: &File) {
    for client in listener.incoming() {
        let mut client = client.expect("a client");
        let mut bytes = [0; 4096];
        // The guest echoes.
        while let Ok(count @ 1..) = client.read(&mut bytes) {
            let mut log = log;
            log.write_all(&bytes[..count]).expect("a log");
            if client.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
    }
}

struct Machine {
    /// The seconds between two questions to the guest about its memory; 0 where it isn't asked.
    polling: u64,
    script: Script,
    uuid: String,
    status: &'static str,
    /// In bytes, without modules.
    memory: u64,
    /// The sizes of the modules that were added, in bytes.
    modules: Vec<u64>,
    /// What the balloon leaves the guest, in bytes.
    balloon: u64,
    cpus: u64,
    /// For so many CPUs there is a place.
    places: u64,
}

impl Machine {
    fn serve(&mut self, client: &UnixStream) {
        let mut output = client.try_clone().expect("a socket");
        let mut send = move |message: Value| writeln!(output, "{message}").is_ok();
        let greeting = json!({"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 22}},
            "capabilities": ["oob"]}});
        match self.script.reactions.get("greeting").cloned() {
            Some(Reaction::Ignore) => {}
            Some(Reaction::Garbage) => {
                let _gone = writeln!(&*client, "SSH-2.0-OpenSSH_9.2");
            }
            Some(Reaction::Delay(milliseconds)) => {
                thread::sleep(Duration::from_millis(milliseconds));
                send(greeting);
            }
            Some(Reaction::Die(words, code)) => die(&words, code),
            Some(other) => die(&format!("{other:?} is no greeting"), 9),
            None => {
                send(greeting);
            }
        }
        let mut lines = BufReader::new(client);
        let mut line = String::new();
        while matches!(lines.read_line(&mut line), Ok(1..)) {
            let call: Value = serde_json::from_str(&line).expect("a command in JSON");
            line.clear();
            let command = call["execute"].as_str().expect("a command");
            match self.script.reactions.get(command).cloned() {
                Some(Reaction::Ignore) => continue,
                Some(Reaction::Garbage) => {
                    let _gone = (&*client).write_all(b"\x00\xff{{{[[[\n");
                    continue;
                }
                Some(Reaction::Refuse(words)) => {
                    send(json!({"error": {"class": "GenericError", "desc": words}, "id": call["id"]}));
                    continue;
                }
                Some(Reaction::Die(words, code)) => die(&words, code),
                Some(Reaction::Delay(milliseconds)) => thread::sleep(Duration::from_millis(milliseconds)),
                None => {}
            }
            let Some(answer) = self.answer(command, &call["arguments"], &mut send) else {
                let words = format!("The command {command} has not been found");
                send(json!({"error": {"class": "CommandNotFound", "desc": words}, "id": call["id"]}));
                continue;
            };
            send(json!({"return": answer, "id": call["id"]}));
            if command == "quit" {
                exit(0);
            }
        }
    }

    /// Does what QEMU does; nothing where it is a command that is not pretended.
    fn answer(
        &mut self,
        command: &str,
        arguments: &Value,
        send: &mut impl FnMut(Value) -> bool,
    ) -> Option<Value> {
        let mut event = |name: &str, data: Value| {
            send(json!({"event": name, "data": data, "timestamp": {"seconds": 0, "microseconds": 0}}));
        };
        match command {
            "qmp_capabilities" | "blockdev-del" | "set-action" => {}
            "query-uuid" => return Some(json!({ "UUID": self.uuid })),
            "query-status" => {
                return Some(json!({"status": self.status, "running": self.status == "running"}));
            }
            // Its system listens to the power button.
            "human-monitor-command" => return Some(json!("portw[0x0602] = 0x0120\r\n")),
            "query-block" | "query-blockstats" => return Some(json!([])),
            // One CPU, which is this very thread.
            "query-cpus-fast" => return Some(json!([{"cpu-index": 0, "thread-id": std::process::id()}])),
            "query-chardev" => {
                return Some(json!([{"label": "agent0", "frontend-open": self.script.agent}]));
            }
            "qom-set" if arguments["property"] == "guest-stats-polling-interval" => {
                self.polling = arguments["value"].as_u64().expect("seconds");
            }
            "qom-get" if arguments["property"] == "guest-stats" => {
                // As a guest would that takes no time to answer.
                let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
                let told = if self.polling > 0 { now } else { 0 };
                return Some(json!({"last-update": told, "stats": {"stat-total-memory": 60 << 20,
                    "stat-available-memory": 20 << 20, "stat-free-memory": u64::MAX}}));
            }
            "query-kvm" => return Some(json!({"enabled": false, "present": false})),
            "query-hotpluggable-cpus" => {
                let place = |core| {
                    let mut place = json!({"type": "max-x86_64-cpu", "vcpus-count": 1,
                        "props": {"socket-id": 0, "core-id": core, "thread-id": 0}});
                    if core < self.cpus {
                        place["qom-path"] = json!(format!("/machine/unattached/device[{core}]"));
                    }
                    place
                };
                return Some((0..self.places).rev().map(place).collect());
            }
            "query-memory-size-summary" => {
                let plugged: u64 = self.modules.iter().sum();
                return Some(json!({"base-memory": self.memory, "plugged-memory": plugged}));
            }
            "query-memory-devices" => {
                let module = |number| json!({"type": "dimm", "data": {"id": format!("dimm{number}")}});
                return Some((0..self.modules.len()).map(module).collect());
            }
            "query-balloon" => return Some(json!({ "actual": self.balloon })),
            "balloon" => {
                self.balloon = arguments["value"].as_u64().expect("a size");
                event("BALLOON_CHANGE", json!({ "actual": self.balloon }));
            }
            "object-add" => self.modules.push(arguments["size"].as_u64().expect("a size")),
            "device_add" if arguments["driver"] == "pc-dimm" => {}
            "device_add" if arguments["core-id"] == self.cpus => self.cpus += 1,
            "cont" => {
                self.status = "running";
                event("RESUME", json!({}));
            }
            "stop" => {
                self.status = "paused";
                event("STOP", json!({}));
            }
            "system_reset" => event("RESET", json!({"guest": false, "reason": "host-qmp-system-reset"})),
            "system_powerdown" => {
                self.status = "shutdown";
                event("POWERDOWN", json!({}));
                event("SHUTDOWN", json!({"guest": true, "reason": "guest-shutdown"}));
                event("STOP", json!({}));
            }
            "quit" => event("SHUTDOWN", json!({"guest": false, "reason": "host-qmp-quit"})),
            _ => return None,
        }
        Some(json!({}))
    }
}

fn say(line: &str) {
    let _gone = writeln!(std::io::stdout(), "{line}");
}

fn die(words: &str, code: i32) -> ! {
    let _gone = writeln!(std::io::stderr(), "{words}");
    exit(code)
}
