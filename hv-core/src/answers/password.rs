//! Passwords: the one place where their clear text is read.

use hv_api::Error;
use sha_crypt::{PasswordHasher, ShaCrypt};
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// A password in the form that a system takes. It is not shown, and wiped from memory when it goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// SHA-512 with a random salt: every Linux that can be installed today reads it, which is not so for newer forms.
    ///
    /// # Errors
    /// [`Error::StoreFailed`] where the system has no random bytes.
    pub fn linux(clear: &str) -> Result<Self, Error> {
        let hash = ShaCrypt::SHA512.hash_password(clear.as_bytes());
        // What went wrong tells nothing of the password, and only that is told.
        let failed = |error: sha_crypt::password_hash::Error| Error::StoreFailed {
            path: "/dev/urandom".into(),
            detail: format!("a password could not be made unreadable: {error}"),
        };
        Ok(Self(hash.map_err(failed)?.as_str().to_owned()))
    }

    /// What Windows' answer files take. It is only hard to read, not impossible.
    pub fn windows(clear: &str) -> Self {
        // The name of the field is part of it.
        let wide: Zeroizing<Vec<u8>> = Zeroizing::new(
            clear.encode_utf16().chain("Password".encode_utf16()).flat_map(u16::to_le_bytes).collect(),
        );
        Self(base64(&wide))
    }

    /// One that is in its form already.
    #[cfg(test)]
    pub fn of_text(form: &str) -> Self {
        Self(form.to_owned())
    }

    /// The form.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl Drop for Password {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64ct::{Base64, Encoding};
    Base64::encode_string(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha_crypt::PasswordVerifier;

    #[test]
    fn a_password_is_salted_and_can_be_verified() {
        let (one, other) = (Password::linux("open sesame").unwrap(), Password::linux("open sesame").unwrap());
        assert_ne!(one, other);
        assert!(one.text().starts_with("$6$"), "{}", one.text());
        assert!(one.text().chars().all(|c| c.is_ascii_alphanumeric() || "$./=".contains(c)));
        assert!(ShaCrypt::SHA512.verify_password(b"open sesame", one.text()).is_ok());
        assert!(ShaCrypt::SHA512.verify_password(b"sesame", one.text()).is_err());
        assert_eq!(format!("{one:?}"), "Password(…)");
    }

    #[test]
    fn windows_has_a_form_of_its_own() {
        assert_eq!(Password::windows("pw").text(), "cAB3AFAAYQBzAHMAdwBvAHIAZAA=");
    }
}
