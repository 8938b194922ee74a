import { describe, expect, it } from "vitest";
import { FileError } from "../errors.ts";
import { blobName, hubSettings, isWholeModel, parseModelReference, wantedFiles } from "./hub.ts";

describe("parseModelReference", () => {
  it.each([
    ["org/name", "org/name", "main"],
    ["gpt2", "gpt2", "main"],
    ["org/name.v2@refs/pr/1", "org/name.v2", "refs/pr/1"],
    ["org/name@v1.0", "org/name", "v1.0"],
  ])("takes %s for a hub id", (model, id, revision) => {
    expect(parseModelReference(model)).toEqual({ kind: "hub", id, revision });
  });

  it.each([
    "./name",
    "../name",
    "/org/name",
    "a/b/c",
    "org/",
    "~/name",
    "C:\\models",
    "model.safetensors",
    "",
    "org/..",
    "org/na me",
    "org/name@",
    "org/name@../x",
    "a--b/c",
    "org/name@v1@v2",
  ])("takes %j for a path", (model) => {
    expect(parseModelReference(model)).toEqual({ kind: "local", path: model });
  });
});

describe("hubSettings", () => {
  it("has Python's defaults", () => {
    expect(hubSettings({}, "/home/me")).toEqual({
      endpoint: "https://huggingface.co",
      cacheFolder: "/home/me/.cache/huggingface/hub",
      token: null,
      tokenFile: "/home/me/.cache/huggingface/token",
      isOffline: false,
    });
  });

  it("reads Python's variables, the narrower one first", () => {
    const environment = { HF_HOME: "~/hf", XDG_CACHE_HOME: "/xdg", HF_ENDPOINT: "http://mirror/", HF_TOKEN: " t " };
    const settings = hubSettings({ ...environment, HF_HUB_OFFLINE: "ON" }, "/home/me");
    expect(settings).toMatchObject({
      cacheFolder: "/home/me/hf/hub",
      endpoint: "http://mirror",
      token: "t",
      isOffline: true,
    });
    expect(hubSettings({ ...environment, HF_HUB_CACHE: "/c" }, "/home/me").cacheFolder).toBe("/c");
    expect(hubSettings({ XDG_CACHE_HOME: "/xdg" }, "/home/me").cacheFolder).toBe("/xdg/huggingface/hub");
    expect(hubSettings({ HF_HUB_OFFLINE: "0", HF_HOME: "" }, "/h").isOffline).toBe(false);
  });
});

describe("wantedFiles", () => {
  const text = [
    "config.json",
    "generation_config.json",
    "merges.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
  ];
  const never = [
    "README.md",
    "tf_model.h5",
    "onnx/model.onnx",
    "../config.json",
    ".gitattributes",
    "tokenizer/../../x",
  ];

  it("takes configuration, tokenizer and one set of weights", () => {
    const names = [...never, ...text, "pytorch_model.bin", "model.safetensors"];
    expect(wantedFiles(names)).toEqual([...text, "model.safetensors"]);
    const shards = [
      "model-00001-of-00002.safetensors",
      "model-00002-of-00002.safetensors",
      "model.safetensors.index.json",
    ];
    expect(wantedFiles([...shards, "config.json", "pytorch_model.bin"])).toEqual([
      "config.json",
      ...shards.slice(2),
      ...shards.slice(0, 2),
    ]);
    expect(wantedFiles(["config.json", "pytorch_model.bin", "pytorch_model.bin.index.json"])).toEqual([
      "config.json",
      "pytorch_model.bin",
    ]);
    expect(wantedFiles(["config.json", "other.safetensors", "pytorch_model.bin"])).toEqual([
      "config.json",
      "other.safetensors",
    ]);
  });

  it("takes each name once, and none that no disk can hold", () => {
    const names = ["config.json", "config.json", `${"a".repeat(300)}.safetensors`, "model.safetensors"];
    expect(wantedFiles(names)).toEqual(["config.json", "model.safetensors"]);
  });

  it("takes adapters", () => {
    const names = ["adapter_config.json", "adapter_model.bin", "adapter_model.safetensors"];
    expect(wantedFiles(names)).toEqual(["adapter_config.json", "adapter_model.safetensors"]);
  });
});

it("knows a whole model from a half one", () => {
  expect(isWholeModel(["config.json", "model.safetensors"], [])).toBe(true);
  expect(isWholeModel(["config.json"], [])).toBe(false);
  expect(isWholeModel(["model.safetensors"], [])).toBe(false);
  expect(isWholeModel(["config.json", "model-1.safetensors"], ["model-1.safetensors", "model-2.safetensors"])).toBe(
    false,
  );
});

it("lets no etag leave the blobs folder", () => {
  expect(blobName("u", 'W/"abc"')).toBe("abc");
  for (const etag of [null, "", '"../x"', '"a/b"', '".hidden"']) expect(() => blobName("u", etag)).toThrow(FileError);
});
