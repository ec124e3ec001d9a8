import { existsSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer } from "@huggingface/tokenizers";
import { UserError } from "../../common/userError.ts";
import type { Tensor } from "../core/tensor.ts";
import { tensor } from "../functions/creation.ts";
import { readJsonObject } from "./jsonFile.ts";

export interface EncodeOptions {
  /** Whether the model's own tokens ([CLS], </s> ...) are put around the text. Default true. */
  readonly addSpecialTokens?: boolean;
  /** A second text behind the first, where the model takes two. */
  readonly textPair?: string;
}

/** A text as a model takes it. */
export interface EncodedText {
  readonly ids: readonly number[];
  readonly tokens: readonly string[];
  readonly attentionMask: readonly number[];
}

/** Texts to numbers and back, as a model's tokenizer.json tells. */
export class TextTokenizer {
  readonly #tokenizer: Tokenizer;
  readonly #padId: number;

  /** @internal use `readTokenizer`. */
  constructor(definition: Record<string, unknown>, config: Record<string, unknown>) {
    this.#tokenizer = new Tokenizer(definition, config);
    const pad = config["pad_token"] ?? "[PAD]";
    const text = typeof pad === "object" && pad !== null ? (pad as { content: string }).content : String(pad);
    this.#padId = this.#tokenizer.token_to_id(text) ?? 0;
  }

  encode(text: string, options: EncodeOptions = {}): EncodedText {
    const { addSpecialTokens = true, textPair = null } = options;
    const found = this.#tokenizer.encode(text, { add_special_tokens: addSpecialTokens, text_pair: textPair });
    return { ids: found.ids, tokens: found.tokens, attentionMask: found.attention_mask };
  }

  /**
   * Texts of any lengths as one batch: int64 [texts, longest] each, filled up with the padding token,
   * which the mask leaves out.
   */
  batch(texts: readonly string[], options: EncodeOptions = {}): { inputIds: Tensor; attentionMask: Tensor } {
    if (texts.length === 0) throw new TypeError("batch: there are no texts");
    const encoded = texts.map((text) => this.encode(text, options).ids);
    const longest = Math.max(...encoded.map((ids) => ids.length));
    const filled = (ids: readonly number[], with_: number) => [
      ...ids,
      ...new Array(longest - ids.length).fill(with_),
    ];
    return {
      inputIds: tensor(
        encoded.map((ids) => filled(ids, this.#padId)),
        { dtype: "int64" },
      ),
      attentionMask: tensor(
        encoded.map((ids) =>
          filled(
            ids.map(() => 1),
            0,
          ),
        ),
        { dtype: "int64" },
      ),
    };
  }

  decode(ids: readonly number[], options: { skipSpecialTokens?: boolean } = {}): string {
    return this.#tokenizer.decode([...ids], { skip_special_tokens: options.skipSpecialTokens ?? true });
  }

  tokenToId(token: string): number | undefined {
    return this.#tokenizer.token_to_id(token);
  }

  idToToken(id: number): string | undefined {
    return this.#tokenizer.id_to_token(id);
  }
}

/**
 * The tokenizer of a model's folder: tokenizer.json, with tokenizer_config.json where there is one.
 * @throws UserError without it.
 */
export function readTokenizer(folder: string): TextTokenizer {
  const path = join(folder, "tokenizer.json");
  const definition = readJsonObject(path);
  const config = join(folder, "tokenizer_config.json");
  try {
    return new TextTokenizer(definition, existsSync(config) ? readJsonObject(config) : {});
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    throw new UserError(
      `${path} cannot be used as a tokenizer: ${cause instanceof Error ? cause.message : cause}. Download it again, or take another model.`,
    );
  }
}
