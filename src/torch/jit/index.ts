/** `torch.jit`: models that Python wrote as TorchScript. */
export { load, ScriptModule } from "./scriptModule.ts";
