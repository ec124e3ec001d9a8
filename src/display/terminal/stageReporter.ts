import type { ReportProgress } from "../../common/progress.ts";
import type { ProgressDisplay } from "./progressBar.ts";

/**
 * Shows the stages of a work, with a bar those whose amount is known; call `display.end()` behind the last.
 */
export function stageReporter(display: ProgressDisplay, say = (stage: string) => stage): ReportProgress {
  let stage = "";
  let isBar = false;
  return (name, amount) => {
    const isNew = name !== stage;
    if (isNew) display.end();
    if (amount === undefined) {
      if (isNew) display.message(say(name));
    } else {
      if (isNew || !isBar) display.begin(say(name), amount.total, amount.unit);
      display.update(amount.done);
      if (amount.done >= amount.total) display.end();
    }
    isBar = amount !== undefined && amount.done < amount.total;
    stage = name;
  };
}
