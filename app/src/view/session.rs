//! Who is signed in, as the layout shows it.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionView {
    /// Of the signed-in person.
    pub email: Option<String>,
    pub is_admin: bool,
    /// Whether the grid is a simulated one; every page says so.
    pub is_simulated: bool,
}
