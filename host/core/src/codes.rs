//! One home for the error codes that a person can meet.

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        $($(#[$doc])* pub const $name: &str = $code;)*
        /// Every code, for tables and tests.
        pub const ALL: &[&str] = &[$($code),*];
    };
}

codes! {
    /// The manifest is not TOML, has an unknown key or a wrong type.
    MANIFEST_SYNTAX = "F0101";
    /// The manifest names something that is not there.
    MANIFEST_REFERENCE = "F0102";
    /// A value of the manifest is outside its range.
    MANIFEST_VALUE = "F0103";
    /// A reference to a secret is malformed, or what it stands for is not there.
    MANIFEST_SECRET = "F0104";
    /// A component's port is not wired, or the manifest wires one that it lacks.
    MANIFEST_PORT = "F0107";
    /// The component was not found or cannot be read.
    COMPONENT_MISSING = "F0201";
    /// The file is not a WebAssembly component.
    COMPONENT_FORMAT = "F0202";
    /// The component does not fit the contract.
    COMPONENT_CONTRACT = "F0203";
    /// The component's init refused its configuration.
    COMPONENT_INIT = "F0204";
    /// This binary carries no built-in components.
    COMPONENT_NO_BUNDLES = "F0205";
    /// The component does not compile within its limits.
    COMPONENT_COMPILE = "F0206";
    /// The configuration does not fit the component's config-schema.
    COMPONENT_CONFIG = "F0207";
    /// The crate does not become a component.
    COMPONENT_BUILD = "F0208";
    /// There is no Rust toolchain for WebAssembly on this machine.
    COMPONENT_TOOLCHAIN = "F0209";
    /// What the component says of a record depends on what its instance has met before.
    COMPONENT_REMEMBERS = "F0210";
    /// A record cannot be taken in.
    RECORD_REFUSED = "F0301";
    /// The topic is written by a stage: not for producers.
    RECORD_TOPIC_OWNED = "F0302";
    /// The stage failed on a record and is paused.
    RECORD_TASK_PAUSED = "F0307";
    /// The stage fails on what it passed before: it is paused, not its records.
    RECORD_STAGE_AT_FAULT = "F0308";
    /// A parked record was tried again and failed again.
    RECORD_FAILED_AGAIN = "F0309";
    /// The command was made for another epoch.
    CONTROL_STALE = "F0401";
    /// Another deployment of the stage is under way.
    CONTROL_BUSY = "F0402";
    /// The command cannot be carried out in this state.
    CONTROL_REFUSED = "F0403";
    /// Another process decides for this pipeline by now.
    CONTROL_DEPOSED = "F0405";
    /// The drain's deadline passed.
    CONTROL_NOT_DRAINED = "F0412";
    /// The log cannot be opened, read or written.
    LOG_FAILED = "F0501";
    /// A topic exists with another partition count.
    LOG_PARTITIONS = "F0502";
    /// The data folder is in use by another process.
    LOG_LOCKED = "F0503";
    /// The log cannot be reached.
    LOG_AWAY = "F0504";
    /// A setting of the Kafka clients is wrong, or cannot be given.
    LOG_KAFKA_SETTINGS = "F0510";
    /// Kafka refuses this identity, or what it asks for.
    LOG_KAFKA_RIGHTS = "F0511";
    /// A topic is missing, or has another configuration, and may not be made or changed.
    LOG_KAFKA_TOPICS = "F0512";
    /// A position is not in its topic: records were removed, or the topic was made anew.
    LOG_KAFKA_POSITION = "F0513";
    /// State cannot be read or written.
    STATE_FAILED = "F0601";
    /// The state that the changelog gives is not that of the journal.
    STATE_DIVERGED = "F0602";
    /// The folder for local state holds something else.
    STATE_FOLDER = "F0603";
    /// The request is malformed.
    HTTP_BAD_REQUEST = "F0701";
    /// There is no such thing.
    HTTP_NOT_FOUND = "F0702";
    /// The method is not allowed here.
    HTTP_METHOD = "F0703";
    /// The server is stopping or not ready.
    HTTP_UNAVAILABLE = "F0704";
    /// The server cannot be reached.
    CLI_UNREACHABLE = "F0705";
    /// The server waited for a fact that did not come.
    CLI_TIMEOUT = "F0706";
    /// A check found differences.
    CLI_DIFFERENCES = "F0707";
    /// The address is taken or not loopback.
    HTTP_LISTEN = "F0708";
}
