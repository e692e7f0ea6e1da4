//! Says where each preset is: the address that its documentation gives, written out by hand.

/// A preset at one place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// The preset.
    pub(crate) preset: &'static str,
    /// `region` in the config.
    pub(crate) region: Option<&'static str>,
    /// The base URL that must come out of the preset; or that the user gives.
    pub(crate) base: &'static str,
    /// Whether the user gives it: no preset makes it.
    pub(crate) given: bool,
}

impl Place {
    /// How a test names it.
    pub(crate) fn name(&self) -> String {
        match self.region {
            Some(region) => format!("{} in {region}", self.preset),
            None => format!("{} at {}", self.preset, self.base),
        }
    }

    /// The path of its base URL, without query.
    pub(crate) fn path(&self) -> &'static str {
        let rest = self.base.split_once("://").map_or("", |(_, rest)| rest);
        let path = rest.find('/').map_or("", |at| &rest[at..]);
        path.split('?').next().unwrap_or_default()
    }

    /// The query of its base URL with its question mark.
    pub(crate) fn query(&self) -> &'static str {
        self.base.find('?').map_or("", |at| &self.base[at..])
    }
}

const fn at(preset: &'static str, base: &'static str) -> Place {
    Place {
        preset,
        region: None,
        base,
        given: false,
    }
}

const fn region(preset: &'static str, region: &'static str, base: &'static str) -> Place {
    Place {
        region: Some(region),
        ..at(preset, base)
    }
}

const fn given(preset: &'static str, base: &'static str) -> Place {
    Place {
        given: true,
        ..at(preset, base)
    }
}

/// What stands for the keys of base URLs in the tests.
pub(crate) const PROJECT: &str = "proj-1";
pub(crate) const RESOURCE: &str = "res-1";
pub(crate) const DEPLOYMENT: &str = "gpt-4.1";
pub(crate) const API_VERSION: &str = "2024-10-21";

/// Every preset, at every kind of place that it has.
#[rustfmt::skip]
pub(crate) const PLACES: &[Place] = &[
    at("openai", "https://api.openai.com/v1"),
    region("openai", "eu", "https://eu.api.openai.com/v1"),
    at("azure", "https://res-1.openai.azure.com/openai/v1"),
    at("azure-deployment", "https://res-1.openai.azure.com/openai/deployments/gpt-4.1?api-version=2024-10-21"),
    at("azure-anthropic", "https://res-1.services.ai.azure.com/anthropic"),
    given("azure", "https://res-1.openai.azure.com/openai/deployments/gpt-4o?api-version=2024-10-21"),
    at("anthropic", "https://api.anthropic.com"),
    at("gemini", "https://generativelanguage.googleapis.com"),
    at("gemini-openai", "https://generativelanguage.googleapis.com/v1beta/openai"),
    region("vertex", "us-central1", "https://us-central1-aiplatform.googleapis.com/v1/projects/proj-1/locations/us-central1"),
    region("vertex", "europe-west1", "https://europe-west1-aiplatform.googleapis.com/v1/projects/proj-1/locations/europe-west1"),
    region("vertex", "asia-southeast1", "https://asia-southeast1-aiplatform.googleapis.com/v1/projects/proj-1/locations/asia-southeast1"),
    region("vertex", "australia-southeast1", "https://australia-southeast1-aiplatform.googleapis.com/v1/projects/proj-1/locations/australia-southeast1"),
    region("vertex", "global", "https://aiplatform.googleapis.com/v1/projects/proj-1/locations/global"),
    region("vertex", "eu", "https://aiplatform.eu.rep.googleapis.com/v1/projects/proj-1/locations/eu"),
    at("vertex-express", "https://aiplatform.googleapis.com/v1"),
    region("vertex-openai", "europe-west4", "https://europe-west4-aiplatform.googleapis.com/v1/projects/proj-1/locations/europe-west4/endpoints/openapi"),
    region("vertex-openai", "global", "https://aiplatform.googleapis.com/v1/projects/proj-1/locations/global/endpoints/openapi"),
    region("vertex-openai", "eu", "https://aiplatform.eu.rep.googleapis.com/v1/projects/proj-1/locations/eu/endpoints/openapi"),
    region("vertex-anthropic", "us-east5", "https://us-east5-aiplatform.googleapis.com/v1/projects/proj-1/locations/us-east5/publishers/anthropic/models"),
    region("bedrock", "us-east-1", "https://bedrock-runtime.us-east-1.amazonaws.com"),
    region("bedrock", "us-east-2", "https://bedrock-runtime.us-east-2.amazonaws.com"),
    region("bedrock", "us-west-2", "https://bedrock-runtime.us-west-2.amazonaws.com"),
    region("bedrock", "ca-central-1", "https://bedrock-runtime.ca-central-1.amazonaws.com"),
    region("bedrock", "sa-east-1", "https://bedrock-runtime.sa-east-1.amazonaws.com"),
    region("bedrock", "eu-west-1", "https://bedrock-runtime.eu-west-1.amazonaws.com"),
    region("bedrock", "eu-west-2", "https://bedrock-runtime.eu-west-2.amazonaws.com"),
    region("bedrock", "eu-west-3", "https://bedrock-runtime.eu-west-3.amazonaws.com"),
    region("bedrock", "eu-central-1", "https://bedrock-runtime.eu-central-1.amazonaws.com"),
    region("bedrock", "eu-north-1", "https://bedrock-runtime.eu-north-1.amazonaws.com"),
    region("bedrock", "ap-northeast-1", "https://bedrock-runtime.ap-northeast-1.amazonaws.com"),
    region("bedrock", "ap-northeast-2", "https://bedrock-runtime.ap-northeast-2.amazonaws.com"),
    region("bedrock", "ap-northeast-3", "https://bedrock-runtime.ap-northeast-3.amazonaws.com"),
    region("bedrock", "ap-south-1", "https://bedrock-runtime.ap-south-1.amazonaws.com"),
    region("bedrock", "ap-southeast-1", "https://bedrock-runtime.ap-southeast-1.amazonaws.com"),
    region("bedrock", "ap-southeast-2", "https://bedrock-runtime.ap-southeast-2.amazonaws.com"),
    region("bedrock-openai", "us-east-1", "https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1"),
    region("bedrock-openai", "eu-central-1", "https://bedrock-runtime.eu-central-1.amazonaws.com/openai/v1"),
    region("bedrock-mantle", "us-east-1", "https://bedrock-mantle.us-east-1.api.aws/openai/v1"),
    region("bedrock-mantle-anthropic", "us-east-1", "https://bedrock-mantle.us-east-1.api.aws/anthropic"),
    at("groq", "https://api.groq.com/openai/v1"),
    at("together", "https://api.together.ai/v1"),
    at("fireworks", "https://api.fireworks.ai/inference/v1"),
    at("cerebras", "https://api.cerebras.ai/v1"),
    given("lepton", "https://my-endpoint.lepton.example/api/v1"),
    at("mistral", "https://api.mistral.ai/v1"),
    region("mistral", "eu", "https://api.eu.mistral.ai/v1"),
    at("deepseek", "https://api.deepseek.com"),
    at("xai", "https://api.x.ai/v1"),
    region("xai", "eu-west-1", "https://eu-west-1.api.x.ai/v1"),
    at("openrouter", "https://openrouter.ai/api/v1"),
    at("opper", "https://api.opper.ai/v3/compat"),
    at("huggingface", "https://router.huggingface.co/v1"),
    at("braintrust", "https://api.braintrust.dev/v1/proxy"),
    at("vllm", "http://127.0.0.1:8000/v1"),
    at("llamacpp", "http://127.0.0.1:8080/v1"),
    at("ollama", "http://127.0.0.1:11434/v1"),
    at("ollama-native", "http://127.0.0.1:11434"),
    at("sglang", "http://127.0.0.1:30000/v1"),
    at("tgi", "http://127.0.0.1:8080/v1"),
    at("litellm", "http://127.0.0.1:4000/v1"),
];
