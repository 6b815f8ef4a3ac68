//! What plays sound on this computer: sound servers by their sockets, and sound cards by their devices.

use hv_api::AudioService;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// How long a sound server may take to accept a connection. One that hangs is none.
const DEADLINE: Duration = Duration::from_millis(500);

/// What is there, the best first.
pub async fn services() -> Vec<AudioService> {
    let folder =
        |variable: &str| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let runtime = folder("XDG_RUNTIME_DIR");
    let pulse = folder("PULSE_RUNTIME_PATH").or_else(|| Some(runtime.as_ref()?.join("pulse")));
    found(runtime.as_deref(), pulse.as_deref(), Path::new("/dev/snd")).await
}

async fn found(runtime: Option<&Path>, pulse: Option<&Path>, cards: &Path) -> Vec<AudioService> {
    let pipewire = listens(runtime.map(|folder| folder.join("pipewire-0"))).await;
    let pulse = listens(pulse.map(|folder| folder.join("native"))).await;
    [
        (AudioService::Pipewire, pipewire),
        (AudioService::Pulseaudio, pulse),
        (AudioService::Alsa, plays(cards)),
    ]
    .into_iter()
    .filter(|(_service, there)| *there)
    .map(|(service, _there)| service)
    .collect()
}

/// Whether somebody listens at this socket: one that a server left behind would keep a guest from starting.
async fn listens(socket: Option<PathBuf>) -> bool {
    let Some(socket) = socket else { return false };
    timeout(DEADLINE, UnixStream::connect(socket)).await.is_ok_and(|connected| connected.is_ok())
}

/// Whether there is a card that this user may play on: its devices for that are named like `pcmC0D0p`.
fn plays(cards: &Path) -> bool {
    let devices = fs::read_dir(cards).into_iter().flatten().flatten();
    devices.map(|device| device.path()).any(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("pcm")
            && name.ends_with('p')
            && rustix::fs::access(&path, rustix::fs::Access::WRITE_OK).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[tokio::test]
    async fn servers_are_known_by_their_sockets_and_cards_by_their_devices() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let (pulse, cards) = (path.join("pulse"), path.join("snd"));
        let look = || found(Some(path), Some(&pulse), &cards);
        assert_eq!(look().await, []);
        assert_eq!(found(None, None, &cards).await, []);
        fs::create_dir(&pulse).unwrap();
        fs::create_dir(&cards).unwrap();
        fs::write(path.join("pipewire-0"), "no socket").unwrap();
        fs::write(cards.join("pcmC0D0c"), "which records").unwrap();
        assert_eq!(look().await, []);
        let _native = UnixListener::bind(pulse.join("native")).unwrap();
        fs::write(cards.join("pcmC0D0p"), "which plays").unwrap();
        assert_eq!(look().await, [AudioService::Pulseaudio, AudioService::Alsa]);
        fs::remove_file(path.join("pipewire-0")).unwrap();
        drop(UnixListener::bind(path.join("pipewire-0")).unwrap());
        assert_eq!(look().await.len(), 2, "it was left behind");
        fs::remove_file(path.join("pipewire-0")).unwrap();
        let _pipewire = UnixListener::bind(path.join("pipewire-0")).unwrap();
        assert_eq!(look().await.first(), Some(&AudioService::Pipewire));
    }
}
