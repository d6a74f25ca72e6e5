//! Emails: what people sign in with. They are compared in lower case.

use crate::error::ManagerError;

/// As long as RFC 5321 lets one be.
const LONGEST: usize = 254;
const LONGEST_LOCAL: usize = 64;

/// What was typed, as it is looked up.
pub(super) fn normal(typed: &str) -> String {
    // More than fits is no email; clipped it is looked up in vain all the same.
    typed.trim().chars().take(LONGEST + 1).collect::<String>().to_lowercase()
}

/// What was typed, where it is an email: `local@host`, in the characters that need no quoting.
pub(super) fn checked(typed: &str) -> Result<String, ManagerError> {
    let email = normal(typed);
    let right = email.len() <= LONGEST
        && email.split_once('@').is_some_and(|(local, host)| {
            (1..=LONGEST_LOCAL).contains(&local.len())
                && local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atom))
                && host.split('.').all(grid::vm::is_host_name)
        });
    let message = || "is not an email address".to_owned();
    if right { Ok(email) } else { Err(ManagerError::Invalid { field: "email", message: message() }) }
}

/// RFC 5322's atom text.
fn is_atom(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emails_are_taken_in_lower_case_without_the_blanks_around_them() {
        assert_eq!(checked(" Ada.Lovelace+1@Example.ORG "), Ok("ada.lovelace+1@example.org".to_owned()));
        assert!(checked("admin@localhost").is_ok());
    }

    #[test]
    fn what_is_no_email_is_refused() {
        let long = format!("{}@example.org", "a".repeat(65));
        let longer = format!("a@{}", "b.".repeat(10_000));
        for wrong in [
            "",
            "@",
            "a",
            "a@",
            "@b",
            "a@b@c",
            "a b@c",
            "a@b c",
            "a..b@c",
            "a@b..c",
            "a@-b",
            "<a>@b",
            "a\0@b",
            "a@b\u{202e}c",
            "ä@example.org",
            "a@bücher.example",
            &long,
            &longer,
        ] {
            assert!(checked(wrong).is_err(), "{wrong:?}");
        }
    }
}
