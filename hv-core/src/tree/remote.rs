//! An install tree on a server: its small files all at once, its large ones one by one.
//!
//! A server may stall, drip, lie and never end: each question has an end, each answer a limit, and redirects are few and
//! never lead from an encrypted connection to an open one. Certificates are those that this computer trusts, proxies
//! those of the environment.

use super::place::Place;
use super::{Fault, LARGEST};
use crate::files;
use crate::osdb::trees::Fetch;
use async_trait::async_trait;
use futures_util::future::join_all;
use hv_api::{Error, TreeFault};
use reqwest::header::{CONTENT_TYPE, ETAG};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use std::error::Error as StdError;
use std::io;
use std::sync::Once;
use std::time::Duration;
use tokio::time::timeout;

/// How long it may take until a server is reached.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// How long a server may be silent.
const SILENCE_DEADLINE: Duration = Duration::from_secs(15);

/// How long a small file may take, from the question to its last byte.
const SMALL_DEADLINE: Duration = Duration::from_secs(20);

/// How often a server may lead elsewhere.
const REDIRECTS: usize = 5;

/// A tree on a server.
#[derive(Debug)]
pub struct Remote {
    place: Place,
    client: Client,
    /// What went wrong with small files, besides that they are not there.
    pub faults: Vec<Fault>,
    /// How long it is waited for a server.
    pub patience: Patience,
}

/// How long it is waited for a server.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How long a small file may take, from the question to its last byte.
    small: Duration,
    /// How much of a large one has to come at least, within each such time: one that drips would never end.
    pub least: (u64, Duration),
}

impl Default for Patience {
    fn default() -> Self {
        Self { small: SMALL_DEADLINE, least: (64 << 10, Duration::from_secs(30)) }
    }
}

impl Remote {
    /// The tree at this address.
    ///
    /// # Errors
    /// Where this computer's certificates can't be read.
    pub async fn new(place: Place) -> Result<Self, Error> {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            // There is one already where another core runs in this process, as in tests.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let shown = place.shown();
        // It reads the certificates.
        let client = files::off_thread(move || {
            let client = Client::builder()
                .user_agent(concat!("guesthouse/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(CONNECT_DEADLINE)
                .read_timeout(SILENCE_DEADLINE)
                .redirect(Policy::custom(|attempt| {
                    let was_closed = attempt.previous().iter().any(|url| url.scheme() == "https");
                    if attempt.previous().len() > REDIRECTS {
                        attempt.error("it leads elsewhere too often")
                    } else if !matches!(attempt.url().scheme(), "https" | "http")
                        || (was_closed && attempt.url().scheme() != "https")
                    {
                        attempt.error("it leads to where nobody should follow")
                    } else {
                        attempt.follow()
                    }
                }))
                .referer(false)
                .build();
            client.map_err(|error| Fault::of(&error, "").into_error(&shown))
        });
        Ok(Self { place, client: client.await?, faults: Vec::new(), patience: Patience::default() })
    }

    /// Begins to fetch a file.
    ///
    /// # Errors
    /// What is wrong.
    pub async fn get(&self, path: &str) -> Result<Answer, Fault> {
        let url = self.place.file(path).ok_or_else(|| Fault::new(TreeFault::Missing, path, ""))?;
        let response = self.client.get(url).send().await.map_err(|error| Fault::of(&error, path))?;
        Answer::of(response, path)
    }

    /// The text of a small file; nothing where it is not there.
    ///
    /// # Errors
    /// What is wrong.
    pub async fn text(&self, path: &str) -> Result<Option<String>, Fault> {
        let fetch = async {
            let mut answer = match self.get(path).await {
                Err(fault) if fault.kind == TreeFault::Missing => return Ok(None),
                answer => answer?,
            };
            let mut bytes = Vec::new();
            while let Some(chunk) = answer.next().await? {
                bytes.extend_from_slice(&chunk);
                if bytes.len() as u64 > LARGEST {
                    return Err(Fault::new(TreeFault::TooLarge, path, ""));
                }
            }
            // Old ones are in Latin-1; what matters in them is not.
            Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
        };
        let late = |_late| Err(Fault::new(TreeFault::Overdue, path, ""));
        timeout(self.patience.small, fetch).await.unwrap_or_else(late)
    }

    async fn exists(&self, path: &str) -> Result<bool, Fault> {
        let ask = async {
            let url = self.place.file(path).ok_or_else(|| Fault::new(TreeFault::Missing, path, ""))?;
            let response = self.client.head(url).send().await.map_err(|error| Fault::of(&error, path))?;
            match response.status() {
                // It only knows how to give files.
                StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => self.get(path).await,
                _ => Answer::of(response, path),
            }
        };
        match timeout(self.patience.small, ask).await {
            Ok(Ok(_)) => Ok(true),
            Ok(Err(fault)) if fault.kind == TreeFault::Missing => Ok(false),
            Ok(Err(fault)) => Err(fault),
            Err(_late) => Err(Fault::new(TreeFault::Overdue, path, "")),
        }
    }
}

/// A file that is being fetched.
#[derive(Debug)]
pub struct Answer {
    response: Response,
    path: String,
}

impl Answer {
    fn of(response: Response, path: &str) -> Result<Self, Fault> {
        let status = response.status();
        let page = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        // What is sent in place of a file that is not there.
        let is_page = page.is_some_and(|kind| kind.starts_with("text/html"));
        if matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE) || (status.is_success() && is_page) {
            return Err(Fault::new(TreeFault::Missing, path, &status.to_string()));
        }
        if status.is_redirection() {
            return Err(Fault::new(TreeFault::Redirects, path, &status.to_string()));
        }
        if !status.is_success() {
            return Err(Fault::new(TreeFault::Refused, path, &status.to_string()));
        }
        Ok(Self { response, path: path.to_owned() })
    }

    /// How long it says that it is.
    pub fn length(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// What changes when the file does, where the server tells that.
    pub fn tag(&self) -> Option<String> {
        let tag = self.response.headers().get(ETAG)?.to_str().ok()?;
        Some(format!("{} {tag}", self.response.url()))
    }

    /// The next piece; nothing at its end.
    ///
    /// # Errors
    /// What is wrong.
    pub async fn next(&mut self) -> Result<Option<bytes::Bytes>, Fault> {
        self.response.chunk().await.map_err(|error| Fault::of(&error, &self.path))
    }
}

#[async_trait(?Send)]
impl Fetch for Remote {
    async fn texts(&mut self, paths: &[&str]) -> Vec<Option<String>> {
        let answers = join_all(paths.iter().map(|path| self.text(path))).await;
        let mut texts = Vec::with_capacity(answers.len());
        for answer in answers {
            match answer {
                // A page that is sent in place of a file, by a server that does not say so.
                Ok(text) => texts.push(text.filter(|text| !text.trim_start().starts_with('<'))),
                Err(fault) => {
                    self.faults.push(fault);
                    texts.push(None);
                }
            }
        }
        texts
    }

    async fn exist(&mut self, paths: &[String]) -> Vec<bool> {
        let answers = join_all(paths.iter().map(|path| self.exists(path))).await;
        let mut there = Vec::with_capacity(answers.len());
        for answer in answers {
            there.push(matches!(answer, Ok(true)));
            self.faults.extend(answer.err());
        }
        there
    }
}

impl Fault {
    /// What went wrong with a question. The address is left out: it may have a password.
    fn of(error: &reqwest::Error, path: &str) -> Self {
        let mut words = Vec::new();
        let mut certificate = false;
        let mut next: Option<&(dyn StdError + 'static)> = error.source();
        while let Some(cause) = next.filter(|_| words.len() < 16) {
            words.push(cause.to_string());
            let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            let tls = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
            certificate |= matches!(
                tls.or_else(|| cause.downcast_ref()),
                Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented)
            );
            next = cause.source();
        }
        words.dedup();
        let kind = if certificate {
            TreeFault::Certificate
        } else if error.is_timeout() {
            TreeFault::Overdue
        } else if error.is_redirect() {
            TreeFault::Redirects
        } else {
            TreeFault::Unreachable
        };
        Self::new(kind, path, &words.join(": "))
    }
}

#[cfg(test)]
mod tests;
