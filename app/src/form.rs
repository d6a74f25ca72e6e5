//! Forms that work with and without scripts.
//!
//! A door that a form posts to answers a [`FormReply`]. With scripts the page shows its problems and keeps what was
//! typed by itself. Without scripts the door leaves a [`Flash`] in the session and sends the browser back to the
//! form, which shows it: what was typed, and what is wrong with it.

use serde::{Deserialize, Serialize};

/// One thing that is wrong with what was typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The field's name; empty where it is about the whole form.
    pub field: String,
    pub message: String,
}

impl Problem {
    /// A problem of one field.
    pub fn of(field: &str, message: impl Into<String>) -> Self {
        Self { field: field.to_owned(), message: message.into() }
    }

    /// A problem of the whole form.
    pub fn whole(message: impl Into<String>) -> Self {
        Self::of("", message)
    }
}

/// What a form's door answers: nothing wrong (the browser is sent on), or what to mend.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormReply {
    pub problems: Vec<Problem>,
}

/// What is carried back to a form that was posted without scripts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flash {
    pub form: String,
    pub values: Vec<(String, String)>,
    pub problems: Vec<Problem>,
}

impl Flash {
    /// What was typed into a field, or `otherwise` where nothing came back.
    pub fn value_or(&self, field: &str, otherwise: &str) -> String {
        self.values
            .iter()
            .find(|(name, _)| name == field)
            .map_or_else(|| otherwise.to_owned(), |(_, value)| value.clone())
    }
}

/// The problems of one field, or of the whole form where `field` is empty.
pub fn messages(problems: &[Problem], field: &str) -> Vec<String> {
    problems.iter().filter(|problem| problem.field == field).map(|problem| problem.message.clone()).collect()
}

/// The problems that stand beside none of these fields.
pub fn others(problems: &[Problem], fields: &[&str]) -> Vec<String> {
    problems
        .iter()
        .filter(|problem| !fields.contains(&problem.field.as_str()))
        .map(|problem| problem.message.clone())
        .collect()
}

/// The HTML that stands for this text where an element can have no elements inside.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// All of them, each after its field's name.
pub fn in_one_line(problems: &[Problem]) -> String {
    let line = |problem: &Problem| match problem.field.as_str() {
        "" => problem.message.clone(),
        field => format!("{field}: {}", problem.message),
    };
    problems.iter().map(line).collect::<Vec<_>>().join("; ")
}

/// `1.5` as 1500 thousandths.
pub fn ratio(text: &str) -> Result<u32, &'static str> {
    let text = text.trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) || fraction.len() > 3 {
        return Err("Enter a number such as 1 or 1.5, with at most three decimals.");
    }
    let permille = format!("{whole}{fraction:0<3}").parse().map_err(|_| "This is too much.")?;
    if permille == 0 { Err("More than nothing must be for sale.") } else { Ok(permille) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flash_gives_back_what_was_typed_and_else_the_default() {
        let flash = Flash { values: vec![("name".into(), "<b>".into())], ..Flash::default() };
        assert_eq!(flash.value_or("name", "x"), "<b>");
        assert_eq!(flash.value_or("image", "tiny"), "tiny");
    }

    #[test]
    fn a_problem_stands_beside_its_field_or_above_the_form() {
        let problems = [Problem::of("name", "a"), Problem::whole("b"), Problem::of("unheard", "c")];
        assert_eq!(messages(&problems, "name"), ["a"]);
        assert_eq!(others(&problems, &["name"]), ["b", "c"]);
        assert_eq!(in_one_line(&problems), "name: a; b; unheard: c");
    }

    #[test]
    fn ratios_are_read_in_thousandths() {
        assert_eq!(["1", "1.5", " 0.125 ", "10.25"].map(ratio), [Ok(1000), Ok(1500), Ok(125), Ok(10_250)]);
        for wrong in ["", "-1", "1,5", "1.", ".5", "1.2345", "０.5", "0", "99999999999"] {
            assert!(ratio(wrong).is_err(), "{wrong:?}");
        }
    }
}
