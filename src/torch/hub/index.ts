/** `torch.hub`: folders of models as Hugging Face keeps them. */
export { PretrainedFolder, readPretrained } from "./pretrained.ts";
export { type EncodedText, type EncodeOptions, readTokenizer, TextTokenizer } from "./tokenizer.ts";
