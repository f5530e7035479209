"""google-genai and openai for Python against the daemon's proxy."""

import sdk_packages
import sdk_stories


class GoogleGenai(sdk_stories.GeminiStories):
    dials_wss = True

    def test_an_asynchronous_call(self) -> None:
        answer, [call] = self.same("gemini_async_generate")
        self.assertEqual(answer, {"text": "Hello", "usage": [9, 1, 112]})
        self.assertEqual((call["model"], self.tokens(call)), ("m", (9, 1, 102)))

    def test_an_asynchronous_stream(self) -> None:
        answer, [call] = self.same("gemini_async_stream")
        self.assertEqual(answer["usage"], [9, 1, 115])
        self.assertEqual(self.tokens(call), (9, 1, 105))


class OpenAi(sdk_stories.OpenAiStories):
    pass


class OpenAiOnGemini(sdk_stories.OpenAiOnGeminiStories):
    pass


class Readme(sdk_stories.ReadmeStories):
    language = "python"


if __name__ == "__main__":
    sdk_stories.main(sdk_packages.python)
