//! Public keys as customers paste them: OpenSSH's format, one a line.

const MOST_KEYS: usize = 20;
const LONGEST_LINE: usize = 8192;
/// The types that OpenSSH takes for a person's key.
const TYPES: [&str; 7] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

/// The keys without empty lines and surrounding blanks; or what is wrong with them, for the person who typed.
pub(super) fn checked(text: &str) -> Result<String, String> {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.len() > MOST_KEYS {
        return Err(format!("At most {MOST_KEYS} keys."));
    }
    for (number, line) in (1..).zip(&lines) {
        if line.len() > LONGEST_LINE || line.chars().any(char::is_control) || !is_key(line) {
            return Err(format!("Line {number} is no public key in OpenSSH's format, such as `ssh-ed25519 AAAA… me`."));
        }
    }
    Ok(lines.join("\n"))
}

fn is_key(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    let (Some(kind), Some(body)) = (words.next(), words.next()) else { return false };
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    TYPES.contains(&kind) && body.len() >= 32 && body.starts_with("AAAA") && body.bytes().all(is_base64)
}

#[cfg(test)]
mod tests {
    use super::checked;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEX9Tjq2Vb1hRpj1Wb4ZC0G7CqXyYz3H2n0m8k5r9QwE me@home";

    #[test]
    fn keys_are_taken_one_a_line_without_blanks() {
        assert_eq!(checked(&format!("\n  {KEY}  \r\n\n{KEY}\n")).unwrap(), format!("{KEY}\n{KEY}"));
        assert_eq!(checked("").unwrap(), "");
    }

    #[test]
    fn what_is_no_key_is_named_by_its_line() {
        for bad in ["ssh-ed25519", "AAAA", "ssh-dss AAAAB3NzaC1kc3MAAACBAOeFx1H9Jm0sYJ2Y0kq", "ssh-rsa AAAA<script>"] {
            let message = checked(&format!("{KEY}\n{bad}")).unwrap_err();
            assert!(message.starts_with("Line 2 "), "{bad}: {message}");
        }
        assert!(checked(&format!("{KEY}\u{0}")).is_err());
        assert!(checked(&[KEY; 21].join("\n")).is_err());
    }
}
