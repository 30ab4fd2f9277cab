//! The embedded log: one database in the data folder.

use super::{Nature, Site, Standing};
use crate::failure::{Exit, Failure};
use fermata_core::codes;
use fermata_core::ports::LogError;
use fermata_runtime::worker;
use fermata_store::{Embedded, Options};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const CONTROL_WAIT: Duration = Duration::from_millis(5);

pub fn stand(options: &Options, site: &Site<'_>) -> Result<Standing, Failure> {
    let mut options = options.clone();
    let (told, fatal) = (options.on_fatal.take(), site.fatal.clone());
    options.on_fatal = Some(Arc::new(move |because| {
        fatal(because);
        if let Some(told) = &told {
            told(because);
        }
    }));
    let embedded = open(site.data_dir, options)?;
    Ok(Standing {
        log: embedded.clone(),
        store: embedded,
        topics: worker::topics(site.manifest),
        sizes: Arc::new(|_| Ok(None)),
        shared: false,
        standby: Arc::new(BTreeMap::new),
        nature: Nature {
            place: format!("log in {}", site.data_dir.display()),
            gapless: true,
            probe: None,
            control_wait: CONTROL_WAIT,
            remedy: "what was acknowledged is on disk; start again with the same --data-dir",
        },
    })
}

/// Opens the folder, with the code that says what is the matter.
pub fn open(data_dir: &Path, options: Options) -> Result<Arc<Embedded>, Failure> {
    Embedded::open(data_dir, options).map_err(|error| match &error {
        LogError::Fatal(found) if found.contains(codes::LOG_LOCKED) => Failure::new(
            codes::LOG_LOCKED,
            Exit::Refused,
            format!("{} is in use by another process", data_dir.display()),
        )
        .help("stop that process, or choose another folder with --data-dir"),
        _ => Failure::from(error),
    })
}
