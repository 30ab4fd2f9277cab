use super::*;
use fermata_core::manifest::secrets::Reference;

struct Known;
impl Secrets for Known {
    fn reveal(&self, reference: &Reference) -> Result<String, String> {
        match reference {
            Reference::Env(name) if name == "HOSTNAME" => Ok("fermata-0".to_owned()),
            Reference::Env(name) if name == "CORES" => Ok("3".to_owned()),
            Reference::File(path) if path == "/run/secrets/kafka" => Ok("hunter2".to_owned()),
            _ => Err("it is not set".to_owned()),
        }
    }
}

const GOOD: &str = r#"
node = { id = "${env:HOSTNAME}", data-dir = "/var/lib/fermata", workers = 0, advertise = "http://10.0.3.11:8640/" }
http = { listen = "127.0.0.1:9000" }
auth = { peer-secret = "open sesame" }
log = { kind = "kafka" }
topics = { create = "verify", replication-factor = 3, min-insync-replicas = 2, retention = { dlq = "30d" } }

[kafka]
"bootstrap.servers" = "b1:9093,b2:9093"
"security.protocol" = "SASL_SSL"
"sasl.password" = "${file:/run/secrets/kafka}"
"ssl.key.password" = "plain"
"queued.max.messages.kbytes" = 16384
"enable.ssl.certificate.verification" = true
"#;

fn read(text: &str, variables: &[(&str, &str)]) -> Result<Installation, ManifestErrors> {
    let variables: Vec<_> = variables
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect();
    Installation::parse("fermata.toml", text, &variables, &Known)
}

fn told(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let errors = read(text, variables).expect_err("it is wrong");
    errors.all().iter().map(ToString::to_string).collect()
}

#[test]
fn everything_that_is_due_is_read() {
    let found = read(GOOD, &[]).expect("it is right");
    assert_eq!(found.node.id.as_deref(), Some("fermata-0"));
    assert_eq!(found.node.data_dir, Path::new("/var/lib/fermata"));
    assert_eq!(found.node.advertise.as_deref(), Some("http://10.0.3.11:8640"));
    assert_eq!(found.listen.port(), 9000);
    assert_eq!(found.log, LogKind::Kafka);
    assert_eq!(found.kafka["bootstrap.servers"].reveal(), "b1:9093,b2:9093");
    assert_eq!(found.kafka["sasl.password"].reveal(), "hunter2");
    assert_eq!(found.kafka["queued.max.messages.kbytes"].reveal(), "16384");
    assert_eq!(found.kafka["enable.ssl.certificate.verification"].reveal(), "true");
    let topics = Topics {
        create: Create::Verify,
        replication_factor: Some(3),
        min_insync_replicas: Some(2),
        retention: [("dlq".to_owned(), Duration::from_secs(30 * 86_400))].into(),
    };
    assert_eq!(found.topics, topics);
}

#[test]
fn an_empty_file_is_the_embedded_log() {
    let found = read("", &[]).expect("it is right");
    assert_eq!(found.log, LogKind::Embedded);
    assert_eq!(found.node.data_dir, Path::new(DATA_DIR));
    assert_eq!(found.listen.to_string(), crate::cli::args::DEFAULT_LISTEN);
}

#[test]
fn secrets_are_shown_nowhere() {
    let found = read(GOOD, &[("FERMATA__KAFKA__SSL_KEY_PEM", "-----BEGIN")]).expect("it is right");
    let shown = format!("{found:?}");
    for secret in ["hunter2", "open sesame", "plain", "-----BEGIN"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
        assert_eq!(found.mask(&format!("refused: {secret}!")), "refused: ***!");
    }
    assert!(
        shown.contains("${file:/run/secrets/kafka}") && shown.contains("SASL_SSL"),
        "{shown}"
    );
}

#[test]
fn the_environment_overrides_every_key() {
    let variables = [
        ("FERMATA__HTTP__LISTEN", "127.0.0.1:0"),
        ("FERMATA__KAFKA__BOOTSTRAP_SERVERS", "elsewhere:9092"),
        ("FERMATA__KAFKA__CLIENT_RACK", "${env:HOSTNAME}"),
        ("FERMATA__NODE__DATA_DIR", "/data"),
        ("FERMATA__NODE__WORKERS", "${env:CORES}"),
        ("FERMATA__TOPICS__CREATE", "never"),
        ("FERMATA__TOPICS__RETENTION__DLQ", "7d"),
    ];
    let found = read(GOOD, &variables).expect("it is right");
    assert_eq!(found.listen.port(), 0);
    assert_eq!(found.kafka["bootstrap.servers"].reveal(), "elsewhere:9092");
    assert_eq!(found.kafka["client.rack"].reveal(), "fermata-0");
    assert_eq!(found.node.data_dir, Path::new("/data"));
    assert_eq!(found.node.workers, 3);
    assert_eq!(found.topics.create, Create::Never);
    assert_eq!(found.topics.retention["dlq"], Duration::from_secs(7 * 86_400));
    // What nobody overrides stays.
    assert_eq!(found.node.id.as_deref(), Some("fermata-0"));
    assert_eq!(found.kafka["security.protocol"].reveal(), "SASL_SSL");
}

#[test]
fn each_mistake_is_told_with_its_place_and_what_was_meant() {
    for (text, place, words) in [
        (
            "nod = { id = \"a\" }",
            "fermata.toml:1:1",
            &[
                "\"nod\" is not a key at the top of fermata.toml",
                "did you mean \"node\"",
            ][..],
        ),
        (
            "\nnode = { idd = \"a\" }",
            "fermata.toml:2:10",
            &["\"idd\" is not a key in node", "did you mean \"id\""],
        ),
        (
            "node = { roles = [\"data\"] }",
            "fermata.toml:1:10",
            &["\"roles\" is not a key"],
        ),
        (
            "policy = { approvals = 1 }",
            "fermata.toml:1:1",
            &["\"policy\" is not a key"],
        ),
        ("env.prod = {}", "fermata.toml:1:1", &["\"env\" is not a key"]),
        (
            "node = { id = \"a b\" }",
            "fermata.toml:1:15",
            &["node.id", "expected a name", "\"a b\""],
        ),
        (
            "node = { id = \"${env:NONE}\" }",
            "fermata.toml:1:15",
            &["node.id", "${env:NONE}", "not set"],
        ),
        (
            "node = { id = \"${NONE}\" }",
            "fermata.toml:1:15",
            &["node.id", "expected ${env:NAME}"],
        ),
        ("node = { id = \"\" }", "fermata.toml:1:15", &["expected a text"]),
        (
            "node = { workers = 65 }",
            "fermata.toml:1:20",
            &["from 0 to 64", "found 65"],
        ),
        (
            "node = { advertise = \"10.0.3.11\" }",
            "fermata.toml:1:22",
            &["expected a URL"],
        ),
        (
            "http = { listen = \"localhost\" }",
            "fermata.toml:1:19",
            &["expected an address"],
        ),
        (
            "log = { kind = \"kafca\" }",
            "fermata.toml:1:16",
            &["\"embedded\" or \"kafka\"", "did you mean \"kafka\""],
        ),
        (
            "log = { kind = \"kafka\" }",
            "fermata.toml:1:1",
            &["kafka.bootstrap.servers", "missing"],
        ),
        ("log = {}", "fermata.toml:1:7", &["\"log.kind\" is missing"]),
        (
            "kafka = { \"bootstrap.servers\" = \"b:1\" }",
            "fermata.toml:1:9",
            &["nothing says that the log is Kafka's"],
        ),
        (
            "log.kind = \"kafka\"\nkafka = { \"bootstrap.servers\" = [1] }",
            "fermata.toml:2:33",
            &["a text, a whole number, true or false"],
        ),
        (
            "topics = { create = \"always\" }",
            "fermata.toml:1:21",
            &["\"auto\" or \"verify\" or \"never\""],
        ),
        (
            "topics = { replication-factor = 1, min-insync-replicas = 2 }",
            "fermata.toml:1:10",
            &["2 of 1 replicas"],
        ),
        (
            "topics = { prefix = \"x\" }",
            "fermata.toml:1:12",
            &["\"prefix\" is not a key"],
        ),
        (
            "topics = { retention = { dlq = \"soon\" } }",
            "fermata.toml:1:32",
            &["expected a duration"],
        ),
        (
            "topics = { retention = { \"a b\" = \"1d\" } }",
            "fermata.toml:1:26",
            &["nor the name of a topic"],
        ),
        ("node = {", "fermata.toml:1:", &["F0101"]),
    ] {
        let told = told(text, &[]);
        let [one] = &told[..] else { panic!("{text}: {told:?}") };
        assert!(one.contains(place), "{text}: {one}");
        for word in words {
            assert!(one.contains(word), "{text}: no {word:?} in {one}");
        }
    }
}

#[test]
fn a_variable_that_is_wrong_is_named_and_its_value_is_not_shown_as_text() {
    let told = told(
        "",
        &[("FERMATA__NODE__WORKERS", "many"), ("FERMATA__NODE__ROLES", "data")],
    );
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().any(|t| t.contains("found \"many\"")), "{told:?}");
    assert!(
        told.iter().any(|t| t.contains("\"roles\" is not a key in node")),
        "{told:?}"
    );
    let errors = read("", &[("FERMATA__KAFKA__SASL_PASSWORD", "s3cret")]).expect_err("no log.kind");
    let [one] = errors.all() else { panic!("{errors}") };
    assert_eq!(&*one.source_text, "FERMATA__KAFKA__SASL_PASSWORD");
    assert!(!format!("{one:?}").contains("s3cret"), "{one:?}");
}
