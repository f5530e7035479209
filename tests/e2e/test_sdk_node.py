"""@google/genai and openai for JavaScript against the daemon's proxy."""

import sdk_packages
import sdk_stories


class GoogleGenai(sdk_stories.GeminiStories):
    pass


class OpenAi(sdk_stories.OpenAiStories):
    pass


class OpenAiOnGemini(sdk_stories.OpenAiOnGeminiStories):
    pass


class Readme(sdk_stories.ReadmeStories):
    language = "js"


if __name__ == "__main__":
    sdk_stories.main(sdk_packages.node)
