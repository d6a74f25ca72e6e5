//! What can be chosen from: offers, images, regions; and how much of a tenant's quota is left.

use crate::accounts::Principal;
use crate::store::Store;
use crate::store::rows::{AuditRow, TenantStanding};
use crate::{Manager, ManagerError, clock};
use grid::offer::{Offer, Quota};
use grid::work::ImageFamily;
use grid::{HypervisorKind, Resources, Size};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// As long as a name may be that people read, in characters.
const LONGEST_NAME: usize = 100;

/// Makes the offer where it isn't there, and sets its size. VMs that were deployed by it stay as they are.
/// [`ManagerError::Invalid`] where the name is none.
pub async fn offer_set(store: &dyn Store, name: &str, size: Size) -> Result<(), ManagerError> {
    let name = shown_name("offer", name)?.to_owned();
    store.offer_put(&Offer { name: name.clone(), size }).await?;
    let (action, outcome) = ("offer_set".to_owned(), "succeeded".to_owned());
    let row = AuditRow { at: clock::now(), actor: None, tenant: None, action, target: name, outcome };
    Ok(store.audit_add(&row).await?)
}

/// A name for people: what was typed without the blanks around it. [`ManagerError::Invalid`] where nothing is left, or it
/// is too long, or has characters that can't be seen or change how others are read.
pub(crate) fn shown_name<'name>(field: &'static str, typed: &'name str) -> Result<&'name str, ManagerError> {
    let name = typed.trim();
    let unseen = |character: char| {
        character.is_control()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let message = if name.is_empty() {
        "has no name".to_owned()
    } else if name.chars().count() > LONGEST_NAME {
        format!("has a name of more than {LONGEST_NAME} characters")
    } else if name.contains(unseen) {
        "has characters in its name that can't be seen".to_owned()
    } else {
        return Ok(name);
    };
    Err(ManagerError::Invalid { field, message })
}

/// What a tenant may hold, and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaView {
    pub quota: Quota,
    pub used: Resources,
    pub used_vms: u32,
}

impl Manager {
    pub async fn offer_list(&self, _principal: &Principal) -> Result<Vec<Offer>, ManagerError> {
        Ok(self.shared.store.offer_list().await?)
    }

    /// The regions and the hypervisor kinds that each has.
    #[expect(clippy::unused_async, reason = "use cases are asynchronous, whatever they wait for today")]
    pub async fn region_list(
        &self,
        _principal: &Principal,
    ) -> Result<Vec<(String, Vec<HypervisorKind>)>, ManagerError> {
        let map = self.map();
        let mut regions: BTreeMap<&str, BTreeSet<HypervisorKind>> = BTreeMap::new();
        for node in map.iter() {
            regions.entry(&node.node.region).or_default().insert(node.kind());
        }
        let named = regions.into_iter().map(|(name, kinds)| (name.to_owned(), kinds.into_iter().collect()));
        Ok(named.collect())
    }

    /// The images that a VM can be deployed from, by name: those for which there is a node.
    #[expect(clippy::unused_async, reason = "use cases are asynchronous, whatever they wait for today")]
    pub async fn image_list(&self, _principal: &Principal) -> Result<Vec<String>, ManagerError> {
        let families: BTreeSet<&str> = self.map().iter().map(|node| ImageFamily::of(node.kind()).as_str()).collect();
        let of_use = [ImageFamily::Disk, ImageFamily::Root].into_iter().filter(|it| families.contains(it.as_str()));
        let names: BTreeSet<String> =
            of_use.flat_map(|family| self.shared.images.list(family)).map(|image| image.name).collect();
        Ok(names.into_iter().collect())
    }

    pub async fn quota(&self, principal: &Principal) -> Result<QuotaView, ManagerError> {
        let TenantStanding { quota, used, vms } = self.shared.store.tenant_standing(principal.tenant).await?;
        Ok(QuotaView { quota, used, used_vms: vms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::NodeStore;
    use crate::store::sqlite::SqliteStore;

    #[tokio::test]
    async fn an_offer_is_made_once_and_takes_a_new_size() {
        let store = SqliteStore::open_temporary().await.unwrap();
        offer_set(&store, " small ", Size::SMALLEST).await.unwrap();
        offer_set(&store, "small", Size::LARGEST).await.unwrap();
        assert_eq!(store.offer_list().await.unwrap(), [Offer { name: "small".to_owned(), size: Size::LARGEST }]);
    }

    #[test]
    fn names_that_nobody_can_read_are_refused() {
        for wrong in ["", " \t", "a\0b", "a\nb", "\u{202e}evil", "zero\u{200b}width", &"a".repeat(101)] {
            assert!(
                matches!(shown_name("offer", wrong), Err(ManagerError::Invalid { field: "offer", .. })),
                "{wrong:?}"
            );
        }
        assert_eq!(shown_name("tenant", " Größe & Söhne <3 "), Ok("Größe & Söhne <3"));
    }
}
