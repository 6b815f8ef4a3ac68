//! The smallest guest that shows whether KVM runs at the speed of hardware.
//!
//! It counts down in 64-bit mode, stores a result, writes to a port and halts. Software that only
//! imitates virtualization runs a few instructions well enough but needs some hundred milliseconds for
//! this loop, where hardware needs less than one. Nothing here bounds the time: that is left to the
//! parent, which ends this process.

use kvm_bindings::{KVM_MAX_CPUID_ENTRIES, kvm_segment, kvm_userspace_memory_region};
use kvm_ioctls::{Kvm, VcpuExit, VcpuFd, VmFd};
use memmap2::MmapMut;
use serde::{Deserialize, Serialize};
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};
use std::time::Instant;

/// How often the guest's loop turns.
pub(super) const TURNS: u32 = 200_000;

/// How often it turns before that, without a look at the clock.
const WARM_UP_TURNS: u32 = 100;

/// What the probing process tells, one JSON object per line: `Ready`, then one of the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum ProbeReport {
    /// The guest is set up and starts to run now.
    Ready,
    /// It ran and had the right result.
    Done {
        /// How long it ran.
        microseconds: u64,
    },
    /// It could not be set up, or ended in another way.
    Failed {
        /// What was tried, and the operating system's words.
        detail: String,
    },
}

/// Runs the guest on an open `/dev/kvm` and calls `ready` when everything is set up. The time is not
/// bounded.
pub fn run_probe(device: OwnedFd, ready: impl FnOnce()) -> ProbeReport {
    match Machine::new(device).and_then(|mut machine| {
        // What only a first run has to do shall not count.
        machine.run(WARM_UP_TURNS)?;
        ready();
        machine.run(TURNS)
    }) {
        Ok(microseconds) => ProbeReport::Done { microseconds },
        Err(detail) => ProbeReport::Failed { detail },
    }
}

/// The guest's memory: page tables, then code, then the result.
const MEMORY: usize = 64 << 10;
const LEVEL_4: u64 = 0x1000;
const LEVEL_3: u64 = 0x2000;
const LEVEL_2: u64 = 0x3000;
const CODE: u64 = 0x4000;
const RESULT: u64 = 0x5000;
const STACK: u64 = 0x8000;

const MAGIC: u32 = 0x600d_cafe;
const PORT: u8 = 0x10;
const LETTER: u8 = b'G';

/// More returns to this process than the guest has reasons for.
const MOST_EXITS: u32 = 64;

struct Machine {
    // The order of fields is the order of ends: the memory outlives the machine that uses it.
    vcpu: VcpuFd,
    _vm: VmFd,
    memory: MmapMut,
}

impl Machine {
    fn new(device: OwnedFd) -> Result<Self, String> {
        // SAFETY: the descriptor is open, and given away here. If it is no /dev/kvm, the first ioctl
        // fails.
        #[expect(unsafe_code, reason = "the crate takes an open device only as a bare descriptor")]
        let kvm = unsafe { Kvm::from_raw_fd(device.into_raw_fd()) };
        let version = kvm.get_api_version();
        if version != 12 {
            return Err(format!("this is not the KVM interface: its version is {version} instead of 12"));
        }
        let vm = kvm.create_vm().map_err(failed("create a virtual machine"))?;

        let mut memory =
            MmapMut::map_anon(MEMORY).map_err(|error| format!("could not get memory: {error}"))?;
        fill(&mut memory);
        let region = kvm_userspace_memory_region {
            slot: 0,
            flags: 0,
            guest_phys_addr: 0,
            memory_size: MEMORY as u64,
            userspace_addr: memory.as_mut_ptr() as u64,
        };
        // SAFETY: the region is exactly the mapping, which lives longer than the machine, and which
        // this process touches only while the guest does not run.
        #[expect(unsafe_code, reason = "KVM is told an address in this process")]
        unsafe { vm.set_user_memory_region(region) }.map_err(failed("give memory to it"))?;

        let vcpu = vm.create_vcpu(0).map_err(failed("create a virtual CPU"))?;
        let features =
            kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES).map_err(failed("ask for the CPU's features"))?;
        vcpu.set_cpuid2(&features).map_err(failed("set the CPU's features"))?;
        enter_long_mode(&vcpu)?;
        Ok(Self { vcpu, _vm: vm, memory })
    }

    /// Runs from the beginning to the end; gives the microseconds that took.
    fn run(&mut self, turns: u32) -> Result<u64, String> {
        self.memory[RESULT as usize..][..4].fill(0);
        let mut registers = self.vcpu.get_regs().map_err(failed("read the CPU's registers"))?;
        registers.rip = CODE;
        registers.rsp = STACK;
        registers.rflags = 2;
        registers.rcx = u64::from(turns);
        self.vcpu.set_regs(&registers).map_err(failed("set the CPU's registers"))?;

        let start = Instant::now();
        let mut letter_seen = false;
        for _ in 0..MOST_EXITS {
            match self.vcpu.run() {
                Ok(VcpuExit::IoOut(port, [LETTER])) if port == u16::from(PORT) => letter_seen = true,
                Ok(VcpuExit::Hlt) => {
                    let took = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
                    let result = self.memory[RESULT as usize..].first_chunk().copied();
                    return if letter_seen && result == Some(MAGIC.to_le_bytes()) {
                        Ok(took)
                    } else {
                        Err("the test program ended with a wrong result".to_owned())
                    };
                }
                Ok(other) => return Err(format!("the test program ended with {other:?}")),
                Err(error) if error.errno() == rustix::io::Errno::INTR.raw_os_error() => (),
                Err(error) => return Err(failed("run the test program")(error)),
            }
        }
        Err(format!("the test program was interrupted {MOST_EXITS} times"))
    }
}

fn failed(what: &str) -> impl FnOnce(kvm_ioctls::Error) -> String {
    move |error| format!("could not {what}: {error}")
}

/// Writes the program, and page tables that map the first 2 MiB to themselves.
fn fill(memory: &mut [u8]) {
    const PRESENT_WRITABLE: u64 = 0b11;
    const LARGE_PAGE: u64 = 1 << 7;

    let mut put = |at: u64, bytes: &[u8]| memory[at as usize..][..bytes.len()].copy_from_slice(bytes);
    put(LEVEL_4, &(LEVEL_3 | PRESENT_WRITABLE).to_le_bytes());
    put(LEVEL_3, &(LEVEL_2 | PRESENT_WRITABLE).to_le_bytes());
    put(LEVEL_2, &(LARGE_PAGE | PRESENT_WRITABLE).to_le_bytes());

    // With the number of turns in ecx:
    let program: [&[u8]; 6] = [
        &[0xff, 0xc9],                               // dec ecx
        &[0x75, 0xfc],                               // jnz to the former
        &[0x81, 0xc1],                               // add ecx,
        &MAGIC.to_le_bytes(),                        //     MAGIC
        &[0x89, 0x0c, 0x25, 0x00, 0x50, 0x00, 0x00], // mov [RESULT], ecx
        &[0xb0, LETTER, 0xe6, PORT, 0xf4],           // mov al, LETTER; out PORT, al; hlt
    ];
    put(CODE, &program.concat());
}

fn enter_long_mode(vcpu: &VcpuFd) -> Result<(), String> {
    const PROTECTION: u64 = 1;
    const EXTENSION_TYPE: u64 = 1 << 4;
    const NUMERIC_ERROR: u64 = 1 << 5;
    const PAGING: u64 = 1 << 31;
    const PHYSICAL_ADDRESS_EXTENSION: u64 = 1 << 5;
    const LONG_MODE_ENABLED_AND_ACTIVE: u64 = 1 << 8 | 1 << 10;

    let code = kvm_segment {
        limit: 0xffff_ffff,
        selector: 8,
        type_: 11,
        present: 1,
        s: 1,
        l: 1,
        g: 1,
        ..kvm_segment::default()
    };
    let data = kvm_segment { selector: 16, type_: 3, l: 0, db: 1, ..code };
    let task = kvm_segment { limit: 0x67, type_: 11, present: 1, ..kvm_segment::default() };

    let mut registers = vcpu.get_sregs().map_err(failed("read the CPU's mode"))?;
    registers.cs = code;
    for segment in
        [&mut registers.ds, &mut registers.es, &mut registers.fs, &mut registers.gs, &mut registers.ss]
    {
        *segment = data;
    }
    registers.tr = task;
    registers.cr3 = LEVEL_4;
    registers.cr4 = PHYSICAL_ADDRESS_EXTENSION;
    registers.cr0 = PROTECTION | EXTENSION_TYPE | NUMERIC_ERROR | PAGING;
    registers.efer = LONG_MODE_ENABLED_AND_ACTIVE;
    vcpu.set_sregs(&registers).map_err(failed("set the CPU's mode"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn what_is_not_kvm_is_refused() {
        let device = OwnedFd::from(File::open("/dev/null").expect("it is always there"));
        let report = run_probe(device, || panic!("nothing is ready"));
        assert!(matches!(&report, ProbeReport::Failed { detail } if detail.contains("-1")), "{report:?}");
    }

    #[test]
    fn reports_are_single_lines() {
        let shown = |report: &ProbeReport| serde_json::to_string(report).expect("it can be written");
        assert_eq!(shown(&ProbeReport::Ready), r#"{"stage":"ready"}"#);
        assert_eq!(shown(&ProbeReport::Done { microseconds: 310 }), r#"{"stage":"done","microseconds":310}"#);
        assert!(!shown(&ProbeReport::Failed { detail: "a\nb".into() }).contains('\n'));
    }
}
