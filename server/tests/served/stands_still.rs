//! A VM that could not write to its disk, as its owner sees it.

use crate::server::{Server, edit, until};

#[test]
fn a_vm_that_stands_still_is_not_shown_as_one_that_runs() {
    let server = Server::start();
    let (shop, render) = (server.vm("shop").to_owned(), server.vm("render").to_owned());
    let server = server.again_after(|folder| {
        edit(folder, "data/simulated-grid.json", |text| {
            let (before, domain) = text.split_once(&format!("\"{shop}\":{{\"title\"")).unwrap();
            format!("{before}\"{shop}\":{{\"title\"{}", domain.replacen("\"running\"", "\"paused\"", 1))
        });
    });
    let (mut ada, mut ben) = (server.signed_in("ada"), server.signed_in("ben"));
    until("it is told", || ada.page(&format!("/vms/{shop}")).body.contains("data-stands-still"));
    assert!(ada.page("/vms").body.contains("Paused"));
    let other = ben.page(&format!("/vms/{render}")).body;
    assert!(other.contains("Running") && !other.contains("data-stands-still"), "{other}");
}
