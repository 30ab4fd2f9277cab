//! Who works on a pipeline now.

use super::{InspectError, Inspector, error};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// `Stable`, `PreparingRebalance`, `Empty`, ...
    pub state: String,
    /// Client ids of the members.
    pub members: Vec<String>,
}

impl Inspector {
    /// `None`: nobody has joined such a group, or we may not see it.
    pub fn group(&self, name: &str) -> Result<Option<Group>, InspectError> {
        let listed = self.client().fetch_group_list(Some(name), self.within);
        let listed = listed.map_err(|e| error::explain("asking about the group", &e, &self.heard))?;
        let group = listed.groups().iter().find(|g| g.name() == name);
        // A group that does not exist is answered as a dead one.
        let alive = group.filter(|g| !g.state().is_empty() && g.state() != "Dead");
        Ok(alive.map(|g| Group {
            state: g.state().to_owned(),
            members: g.members().iter().map(|m| m.client_id().to_owned()).collect(),
        }))
    }
}
