//! Passwords: argon2id with the crate's recommended cost, off the async threads, a few at a time.

use crate::error::ManagerError;
use argon2::Argon2;
use argon2::password_hash::{self, PasswordHasher, PasswordVerifier, phc::PasswordHash};
use std::sync::Arc;
use std::thread::available_parallelism;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// In characters.
const SHORTEST: usize = 12;
/// In bytes: the work for a password must not grow with what somebody sends.
const LONGEST: usize = 256;

/// Each hash takes 19 MiB while it is computed.
const AT_ONCE: usize = 4;

/// No password has this hash. It costs as much to try as any other.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5J3Mgc2FsdC4AAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Makes and tries hashes.
#[derive(Debug)]
pub(super) struct Passwords {
    turns: Arc<Semaphore>,
}

impl Passwords {
    pub(super) fn new() -> Self {
        let turns = available_parallelism().map_or(1, usize::from).min(AT_ONCE);
        Self { turns: Arc::new(Semaphore::new(turns)) }
    }

    /// The PHC string of a new password.
    pub(super) async fn hash(&self, password: &str) -> Result<String, ManagerError> {
        let message = if password.chars().count() < SHORTEST {
            format!("must have at least {SHORTEST} characters")
        } else if password.len() > LONGEST {
            format!("must have at most {LONGEST} bytes")
        } else {
            let password = password.to_owned();
            let hash = move || Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string());
            return self.in_turn(hash).await?.map_err(internal);
        };
        Err(ManagerError::Invalid { field: "password", message })
    }

    /// Whether it is the password of this hash; never, but after the same work, where there is none.
    pub(super) async fn verify(&self, password: &str, hash: Option<String>) -> Result<bool, ManagerError> {
        let possible = hash.is_some() && password.len() <= LONGEST;
        let password = if possible { password.to_owned() } else { String::new() };
        let verify = move || {
            let hash = if possible { hash } else { None };
            let hash = PasswordHash::new(hash.as_deref().unwrap_or(NOBODYS))?;
            Argon2::default().verify_password(password.as_bytes(), &hash)
        };
        match self.in_turn(verify).await? {
            Ok(()) => Ok(possible),
            Err(password_hash::Error::PasswordInvalid) => Ok(false),
            Err(error) => Err(internal(error)),
        }
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, ManagerError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(internal)?;
        let work = spawn_blocking(move || {
            // Kept until the work is done, also where nobody waits for it any more.
            let _turn = turn;
            work()
        });
        work.await.map_err(internal)
    }
}

fn internal(error: impl std::fmt::Display) -> ManagerError {
    tracing::error!(%error, "a password could not be hashed");
    ManagerError::Internal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_again_and_another_is_not() {
        let passwords = Passwords::new();
        let hash = passwords.hash("correct horse battery").await.unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(passwords.verify("correct horse battery", Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("Correct horse battery", Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify(&"x".repeat(1_000_000), Some(hash)).await.unwrap());
        assert!(!passwords.verify("", None).await.unwrap());
    }

    #[tokio::test]
    async fn nobodys_hash_costs_what_a_new_hash_costs() {
        let hash = Passwords::new().hash("correct horse battery").await.unwrap();
        let cost = |hash: &str| hash.rsplitn(3, '$').last().map(str::to_owned);
        assert_eq!(cost(&hash), cost(NOBODYS));
        assert_eq!(hash.len(), NOBODYS.len(), "salt and output are as long");
    }

    #[tokio::test]
    async fn passwords_have_bounds() {
        let passwords = Passwords::new();
        assert!(passwords.hash("short").await.is_err());
        assert!(passwords.hash(&"x".repeat(257)).await.is_err());
        assert!(passwords.hash(&"x".repeat(256)).await.is_ok());
    }
}
