//! What a guest uses, as it is shown: values between 0 and 1 for graphs, and the words beside them.

use hv_api::{ByteSize, CpuStatistics, GuestStatistics, MemoryStatistics, Usage};
use std::net::IpAddr;
use virt_kit::i18n::{gettext, gettext_f, ngettext_f};

/// A value for a graph, with the words for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// What is measured.
    pub title: String,
    /// 0 to 1; nothing where it is not known.
    pub share: Option<f64>,
    /// The same in words.
    pub words: String,
    /// What it is a part of; empty where that is not known.
    pub whole: String,
}

/// How busy the guest's CPUs are.
pub fn cpu(usage: &Usage, counted: &CpuStatistics) -> Reading {
    let words = usage.cpu.map_or_else(not_known, |share| {
        // Translators: a share of a whole, as in "12 %".
        gettext_f("{percent} %", &[("percent", &format!("{:.0}", share * 100.0))])
    });
    let count = counted.vcpus.as_ref().map_or(0, Vec::len);
    // Translators: beneath how much of them is used, as in "12 %".
    let whole = ngettext_f("of {count} CPU", "of {count} CPUs", count, &[("count", &count.to_string())]);
    let whole = if count > 0 { whole } else { String::new() };
    Reading { title: gettext("Processor"), share: usage.cpu, words, whole }
}

/// How full the guest's memory is, as the guest says; where it doesn't, what it holds of the host's.
pub fn memory(memory: &MemoryStatistics) -> Reading {
    let (title, used, total) = match (memory.used(), memory.assigned) {
        (Some((used, total)), _) => (gettext("Memory"), used, Some(total)),
        (None, assigned) => (gettext("Memory Held Here"), memory.resident, assigned),
    };
    let whole = total.map(|total| match total.to_string() {
        // Translators: beneath how much memory a guest holds, where that is more than it has itself.
        text if used > total => gettext_f("{total} and QEMU's own", &[("total", &text)]),
        // Translators: beneath how much of it is used, as in "1.9 GiB".
        text => gettext_f("of {total}", &[("total", &text)]),
    });
    let bytes = total.map(|total| total.as_bytes() as f64).filter(|total| *total > 0.0);
    let share = bytes.map(|bytes| (used.as_bytes() as f64 / bytes).clamp(0.0, 1.0));
    Reading { title, share, words: used.to_string(), whole: whole.unwrap_or_default() }
}

/// What goes to and from disks and network, a second; each only where it is counted.
pub fn traffic(usage: &Usage) -> String {
    let rates = |first: Option<f64>, second: Option<f64>| Some((rate(first?), rate(second?)));
    let disks = rates(usage.read, usage.written).map(|(read, written)| {
        gettext_f("Disks: {read} read, {written} written", &[("read", &read), ("written", &written)])
    });
    let network = rates(usage.received, usage.sent).map(|(received, sent)| {
        gettext_f("Network: {received} received, {sent} sent", &[("received", &received), ("sent", &sent)])
    });
    disks.into_iter().chain(network).collect::<Vec<_>>().join("\n")
}

/// The most addresses that are shown. A guest says what it likes.
const MOST_ADDRESSES: usize = 8;

/// The addresses by which a guest is reached, the shortest way first; nothing where nobody tells.
pub fn addresses(measured: &GuestStatistics) -> Option<Vec<String>> {
    let told = measured.nics.as_ref()?.iter().flat_map(|nic| &nic.addresses);
    let mut addresses: Vec<(u8, IpAddr)> = told
        .filter_map(|address| {
            let address: IpAddr = address.parse().ok()?;
            let order = match address {
                IpAddr::V4(address) => u8::from(address.is_link_local()) * 2,
                // Of those that count within one network only, more than the address has to be known.
                IpAddr::V6(address) => 1 + u8::from(address.segments()[0] & 0xffc0 == 0xfe80) * 2,
            };
            (!address.is_loopback()).then_some((order, address))
        })
        .collect();
    addresses.sort_by_key(|(order, _address)| *order);
    addresses.truncate(MOST_ADDRESSES);
    Some(addresses.into_iter().map(|(_order, address)| address.to_string()).collect())
}

fn rate(bytes: f64) -> String {
    // Translators: an amount of data a second, as in "2 KiB/s".
    gettext_f("{amount}/s", &[("amount", &ByteSize::bytes(bytes as u64).to_string())])
}

fn not_known() -> String {
    // Translators: what a guest uses, where nobody can tell.
    gettext("Not known")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hv_api::{GuestMemory, NicStatistics, VcpuStatistics};

    #[test]
    fn a_reading_says_what_its_graph_shows() {
        let usage = Usage { cpu: Some(0.117), ..Usage::default() };
        let counted = CpuStatistics { engine: 0, vcpus: Some(vec![VcpuStatistics::default(); 2]) };
        let told = cpu(&usage, &counted);
        assert_eq!(
            (told.share, told.words.as_str(), told.whole.as_str()),
            (Some(0.117), "12 %", "of 2 CPUs")
        );
        let silent = cpu(&Usage::default(), &CpuStatistics::default());
        assert_eq!((silent.share, silent.words.as_str(), silent.whole.as_str()), (None, "Not known", ""));
    }

    #[test]
    fn memory_is_the_guests_own_where_it_tells() {
        let mut measured = MemoryStatistics {
            resident: ByteSize::mib(600),
            assigned: Some(ByteSize::mib(512)),
            guest: None,
        };
        let held = memory(&measured);
        assert_eq!(
            (held.title.as_str(), held.words.as_str(), held.whole.as_str()),
            ("Memory Held Here", "600 MiB", "512 MiB and QEMU's own")
        );
        assert_eq!(held.share, Some(1.0), "an engine needs some itself");
        measured.guest = Some(GuestMemory {
            total: Some(ByteSize::mib(400)),
            available: Some(ByteSize::mib(300)),
            ..GuestMemory::default()
        });
        let told = memory(&measured);
        assert_eq!(
            (told.title.as_str(), told.words.as_str(), told.whole.as_str()),
            ("Memory", "100 MiB", "of 400 MiB")
        );
        assert_eq!(told.share, Some(0.25));
        let silent = MemoryStatistics { resident: ByteSize::mib(5), assigned: None, guest: None };
        assert_eq!((memory(&silent).share, memory(&silent).whole.as_str()), (None, ""));
    }

    #[test]
    fn only_what_is_counted_is_said() {
        let mut usage = Usage { read: Some(2048.0), written: Some(0.4), ..Usage::default() };
        assert_eq!(traffic(&usage), "Disks: 2 KiB/s read, 0 bytes/s written");
        usage.received = Some(10.0);
        usage.sent = Some(0.0);
        assert!(traffic(&usage).ends_with("\nNetwork: 10 bytes/s received, 0 bytes/s sent"));
        assert_eq!(traffic(&Usage::default()), "");
    }

    #[test]
    fn addresses_that_are_of_use_come_first_and_are_not_endless() {
        assert_eq!(addresses(&GuestStatistics::default()), None);
        let measured = |addresses: Vec<String>| {
            let mac = "52:54:00:00:00:01".parse().expect("an address");
            let (received, sent, packets_received, packets_sent) = (0, 0, 0, 0);
            let nic = NicStatistics { mac, addresses, received, sent, packets_received, packets_sent };
            GuestStatistics { nics: Some(vec![nic]), ..GuestStatistics::default() }
        };
        let told = ["fe80::1", "fec0::2", "169.254.0.1", "10.0.2.15", "127.0.0.1", "<b>"];
        let shown = addresses(&measured(told.map(str::to_owned).to_vec()));
        assert_eq!(
            shown,
            Some(["10.0.2.15", "fec0::2", "169.254.0.1", "fe80::1"].map(str::to_owned).to_vec())
        );
        let many = addresses(&measured((0..99).map(|end| format!("10.0.0.{end}")).collect()));
        assert_eq!(many.map(|shown| shown.len()), Some(MOST_ADDRESSES));
    }
}
